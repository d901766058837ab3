#include "cache/store/pack_index.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "cache/store/store_errc.hpp"
#include "cache/store/store_folder.hpp"

namespace tankard::cache {
namespace {

using boost::system::error_code;
using protocol::object_id;

// magic and version | 256 counts: names that begin with at most this byte | names | CRCs | offsets | two digests
constexpr std::string_view magic("\377tOc\0\0\0\2", 8);
constexpr std::size_t names_at = magic.size() + 256 * 4;
constexpr std::size_t rest_of_each = 4 + 4;

error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace

class pack_indexes::mapped_index {
 public:
  static boost::system::result<mapped_index> open(const std::filesystem::path& file, protocol::object_format format) {
    int const fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return damage_or(last_error(), store_errc::damaged_pack);
    struct stat st{};
    auto failed = ::fstat(fd, &st) == 0 ? error_code{} : last_error();
    auto const size = static_cast<std::size_t>(st.st_size);
    if (!failed && size < names_at + 2 * raw_size(format)) failed = store_errc::damaged_pack;
    void* const at = failed ? MAP_FAILED : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (!failed && at == MAP_FAILED) failed = last_error();
    ::close(fd);
    if (failed) return failed;
    mapped_index out({static_cast<const char*>(at), size}, raw_size(format));
    if (!out.is_sound()) return store_errc::damaged_pack;
    return out;
  }
  mapped_index(mapped_index&& other) noexcept : bytes_(std::exchange(other.bytes_, {})), name_size_(other.name_size_) {}
  mapped_index& operator=(mapped_index&&) = delete;
  ~mapped_index() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }

  bool names(const object_id& oid) const noexcept {
    auto const raw = oid.raw();
    if (raw.size() != name_size_) return false;
    auto const first_byte = std::to_integer<std::size_t>(raw[0]);
    std::size_t low = first_byte == 0 ? 0 : up_to(first_byte - 1);
    std::size_t high = up_to(first_byte);
    while (low < high) {
      auto const middle = low + (high - low) / 2;
      int const order = std::memcmp(raw.data(), bytes_.data() + names_at + middle * name_size_, name_size_);
      if (order == 0) return true;
      (order < 0 ? high : low) = order < 0 ? middle : middle + 1;
    }
    return false;
  }

 private:
  mapped_index(std::string_view bytes, std::size_t name_size) noexcept : bytes_(bytes), name_size_(name_size) {}
  std::size_t up_to(std::size_t byte) const noexcept {
    std::size_t n = 0;
    for (std::size_t i = 0; i < 4; ++i) n = n << 8 | static_cast<unsigned char>(bytes_[magic.size() + 4 * byte + i]);
    return n;
  }
  bool is_sound() const noexcept {
    for (std::size_t byte = 1; byte < 256; ++byte)
      if (up_to(byte) < up_to(byte - 1)) return false;
    auto const digests = 2 * name_size_;
    return bytes_.starts_with(magic) &&
           up_to(255) <= (bytes_.size() - names_at - digests) / (name_size_ + rest_of_each);
  }
  std::string_view bytes_;
  std::size_t name_size_;
};

boost::system::result<pack_indexes> pack_indexes::open(const std::filesystem::path& pack_folder,
                                                       protocol::object_format format) {
  auto const files = files_of(pack_folder, ".idx");
  if (!files) return files.error();
  pack_indexes out;
  for (auto const& file : *files) {
    auto index = mapped_index::open(file, format);
    if (!index) return index.error();
    out.indexes_.push_back(std::make_shared<const mapped_index>(std::move(*index)));
  }
  return out;
}

bool pack_indexes::names(const object_id& oid) const noexcept {
  return std::ranges::any_of(indexes_, [&](auto const& index) { return index->names(oid); });
}

boost::system::result<std::vector<object_id>> not_indexed(const std::filesystem::path& pack_folder,
                                                          const std::vector<object_id>& oids,
                                                          protocol::object_format format) {
  auto const indexes = pack_indexes::open(pack_folder, format);
  if (!indexes) return indexes.error();
  auto left = oids;
  std::erase_if(left, [&](const object_id& oid) { return indexes->names(oid); });
  return left;
}

}  // namespace tankard::cache
