#include "proxy/auth/guarded_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

#include "proxy/net/file_descriptor.hpp"

namespace tankard::proxy::auth {
namespace {

constexpr std::int64_t billion = 1'000'000'000;
constexpr std::chrono::seconds settling{2};  // disks with times in whole seconds are still about

std::int64_t nanoseconds(const timespec& t) { return t.tv_sec * billion + t.tv_nsec; }

file_stamp stamp_of(const struct stat& st) {
  return {.device = st.st_dev,
          .inode = st.st_ino,
          .size = static_cast<std::uint64_t>(st.st_size),
          .modified = nanoseconds(st.st_mtim),
          .changed = nanoseconds(st.st_ctim),
          .mode = st.st_mode};
}

bool is_settled(const file_stamp& s) {
  auto const now = std::chrono::system_clock::now().time_since_epoch();
  auto const before = std::chrono::duration_cast<std::chrono::nanoseconds>(now - settling).count();
  return s.modified < before && s.changed < before;
}

std::string sentence(const std::filesystem::path& file, const std::string& what) {
  return "the file `" + file.string() + "` " + what;
}
std::string why(int error = errno) { return std::error_code{error, std::generic_category()}.message(); }

std::string permission_problem(mode_t forbidden) {
  bool const reading = (forbidden & 04u) != 0;
  return std::string(reading ? "may be read or written" : "may be written") +
         " by everybody on this machine; run `chmod " + (reading ? "o-rwx" : "o-w") + "` on it";
}

/// errno where it cannot be read.
int read_all(int fd, std::string& into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    auto const n = ::read(fd, into.data() + filled, into.size() - filled);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    filled += static_cast<std::size_t>(n);
  }
  into.resize(filled);
  return 0;
}

}  // namespace

std::optional<file_stamp> stamp_of(const std::filesystem::path& file) noexcept {
  struct stat st {};
  if (::stat(file.c_str(), &st) != 0) return std::nullopt;
  return stamp_of(st);
}

boost::system::result<guarded_text, std::string> read_guarded(const file_guard& guard) {
  net::file_descriptor const in(
      ::open(guard.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe must not hold us up
  if (!in.is_open()) return sentence(guard.file, "cannot be opened: " + why());
  struct stat st {};
  if (::fstat(in.get(), &st) != 0 || !S_ISREG(st.st_mode)) return sentence(guard.file, "is not a regular file");
  if ((st.st_mode & guard.forbidden) != 0) return sentence(guard.file, permission_problem(guard.forbidden));
  guarded_text out;
  out.text.resize(guard.longest + 1);
  if (int const error = read_all(in.get(), out.text)) return sentence(guard.file, "cannot be read: " + why(error));
  if (out.text.size() > guard.longest)
    return sentence(guard.file, "is longer than " + std::to_string(guard.longest) + " bytes");
  out.stamp = stamp_of(st);
  out.settled = is_settled(out.stamp);
  return out;
}

}  // namespace tankard::proxy::auth
