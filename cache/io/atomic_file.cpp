#include "cache/io/atomic_file.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace tankard::cache {
namespace {

namespace sys = boost::system;

sys::error_code last_error() noexcept { return {errno, sys::system_category()}; }

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  int close() noexcept { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

std::string random_name() {
  std::uint64_t n = 0;
  while (getrandom(&n, sizeof n, 0) != static_cast<ssize_t>(sizeof n)) {
  }  // interrupted: eight bytes never fail otherwise
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(n));
  return text.data();
}

sys::result<void> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    auto const n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

sys::result<void> write_temp(const std::filesystem::path& temp, std::string_view bytes, unsigned mode) {
  descriptor file(::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) return last_error();
  if (auto const written = write_all(file.get(), bytes); !written) return written;
  if (::fsync(file.get()) != 0 || file.close() != 0) return last_error();
  return {};
}

std::filesystem::path parent_of(const std::filesystem::path& file) {
  auto parent = file.parent_path();
  return parent.empty() ? std::filesystem::path(".") : parent;
}

}  // namespace

sys::result<void> write_file_atomically(const std::filesystem::path& file, std::string_view bytes, unsigned mode) {
  auto const directory = parent_of(file);
  auto const temp = directory / ("." + random_name() + std::string(temp_suffix));
  if (auto const written = write_temp(temp, bytes, mode); !written) {
    ::unlink(temp.c_str());
    return written;
  }
  if (::rename(temp.c_str(), file.c_str()) != 0) {
    auto const cause = last_error();
    ::unlink(temp.c_str());
    return cause;
  }
  return sync_directory(directory);
}

sys::result<std::string> read_file(const std::filesystem::path& file, std::size_t limit) {
  descriptor const in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not block
  if (!in) return last_error();
  struct stat st{};
  if (::fstat(in.get(), &st) != 0) return last_error();
  if (S_ISDIR(st.st_mode)) return sys::error_code(EISDIR, sys::system_category());
  if (!S_ISREG(st.st_mode)) return sys::error_code(EINVAL, sys::system_category());
  auto const too_large = make_error_code(sys::errc::file_too_large);
  if (static_cast<std::uintmax_t>(st.st_size) > limit) return too_large;

  // One byte more than expected tells a file that grew from one that ended.
  std::string out(static_cast<std::size_t>(st.st_size) + 1, '\0');
  std::size_t have = 0;
  while (true) {
    if (have > limit) return too_large;
    if (have == out.size()) out.resize(std::min(limit + 1, 2 * out.size()));
    auto const n = ::read(in.get(), out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  out.resize(have);
  return out;
}

sys::result<void> sync_directory(const std::filesystem::path& directory) {
  descriptor const dir(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir || ::fsync(dir.get()) != 0) return last_error();
  return {};
}

sys::result<std::filesystem::path> move_to_trash(const std::filesystem::path& victim,
                                                 const std::filesystem::path& trash) {
  auto const name = victim.filename();
  if (name.empty() || name == "." || name == "..") return make_error_code(sys::errc::invalid_argument);
  if (::mkdir(trash.c_str(), 0700) != 0 && errno != EEXIST) return last_error();
  // The random part alone, with room for a name of any length.
  auto const target = trash / (random_name() + "." + name.string().substr(0, 200));
  if (::rename(victim.c_str(), target.c_str()) != 0) return last_error();
  return target;
}

}  // namespace tankard::cache
