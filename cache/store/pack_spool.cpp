#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "cache/store/pack_spool_impl.hpp"

namespace tankard::cache {
namespace {

constexpr std::size_t trailer_size = 20;  // of SHA-1, which is the shorter one

std::string sentence(const char* what, int number) {
  if (number == ENOSPC || number == EDQUOT) return std::string(what) + ": disk full";
  return std::string(what) + ": " + error_code(number, boost::system::system_category()).message();
}

}  // namespace

pack_spool::impl::~impl() { close(); }
void pack_spool::impl::close() noexcept {
  if (int const open = std::exchange(fd, -1); open >= 0) ::close(open);
}

pack_spool::pack_spool(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
pack_spool::~pack_spool() = default;

ingest_result<std::unique_ptr<pack_spool>> pack_spool::create(store_set& stores, blocking_pool& pool) {
  auto folder = stores.new_staging_folder();
  if (folder.empty()) return sentence("cannot make a staging folder", errno);
  auto i = std::make_unique<impl>(stores, pool, std::move(folder));
  i->fd = ::open(i->file().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (i->fd < 0) return sentence("cannot make a spool", errno);
  return std::unique_ptr<pack_spool>(new pack_spool(std::move(i)));
}

ingest_result<void> pack_spool::append(std::string_view bytes) {
  while (!bytes.empty()) {
    auto const n = ::write(impl_->fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sentence("cannot write a pack", errno);
    auto const written = static_cast<std::size_t>(n);
    if (impl_->size < impl_->header.size()) {
      auto const at = static_cast<std::size_t>(impl_->size);
      std::copy_n(bytes.begin(), std::min(written, impl_->header.size() - at),
                  impl_->header.begin() + static_cast<std::ptrdiff_t>(at));
    }
    impl_->size += written;
    bytes.remove_prefix(written);
  }
  return {};
}

std::uint64_t pack_spool::size() const noexcept { return impl_->size; }

bool pack_spool::looks_whole() const noexcept {
  std::string_view const header(impl_->header.data(), impl_->header.size());
  bool const named = header.starts_with(std::string_view("PACK\0\0\0", 7)) && (header[7] == 2 || header[7] == 3);
  return named && impl_->size >= header.size() + trailer_size;
}

}  // namespace tankard::cache
