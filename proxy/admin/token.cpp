#include "proxy/admin/token.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace tankard::proxy::admin {
namespace {

constexpr std::size_t random_bytes = 32, shortest = 16, longest = 4096;

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) {}
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string why() { return std::error_code{errno, std::generic_category()}.message(); }

token_result failed(const std::filesystem::path& file, const std::string& what) {
  return {{}, "the admin token file `" + file.string() + "` " + what};
}

bool is_printable(char c) { return c > ' ' && c < 0x7f; }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::string random_token() {
  std::array<unsigned char, random_bytes> raw{};
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (auto const b : raw) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    auto const n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(fd) == 0;
}

token_result make_token(const std::filesystem::path& file) {
  auto const token = random_token();
  if (token.empty()) return failed(file, "cannot be made: no random bytes");
  std::error_code ec;
  auto const folder = file.parent_path();
  bool const made = std::filesystem::create_directories(folder, ec);
  if (made) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ec);
  auto const temp = file.string() + ".tankard-tmp";
  ::unlink(temp.c_str());
  descriptor const out{::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!out.is_open()) return failed(file, "cannot be made: " + why());
  bool const whole = write_all(out.get(), token + "\n") && ::rename(temp.c_str(), file.c_str()) == 0;
  if (whole) return {token, {}};
  auto const problem = failed(file, "cannot be written: " + why());
  ::unlink(temp.c_str());
  return problem;
}

}  // namespace

token_result read_token(const std::filesystem::path& file) {
  descriptor const in{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (!in.is_open()) return failed(file, "cannot be opened: " + why());
  struct stat st {};
  if (::fstat(in.get(), &st) != 0 || !S_ISREG(st.st_mode)) return failed(file, "is not a regular file");
  if ((st.st_mode & 077) != 0)
    return failed(file, "may be read or written by others than its owner; run `chmod 600` on it");
  std::string text(longest + 2, '\0');
  auto const n = ::read(in.get(), text.data(), text.size());
  if (n < 0) return failed(file, "cannot be read: " + why());
  text.resize(static_cast<std::size_t>(n));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  bool const fit =
      text.size() >= shortest && text.size() <= longest && std::all_of(text.begin(), text.end(), is_printable);
  if (!fit) return failed(file, "must hold one token of 16 to 4096 printable characters without spaces");
  return {std::move(text), {}};
}

token_result keep_token(const std::filesystem::path& file) {
  auto kept = read_token(file);
  bool const ours = kept.token.size() == 2 * random_bytes && std::all_of(kept.token.begin(), kept.token.end(), is_hex);
  return ours ? kept : make_token(file);
}

token_result obtain_token(const std::filesystem::path& configured, const std::filesystem::path& by_default) {
  return configured.empty() ? keep_token(by_default) : read_token(configured);
}

}  // namespace tankard::proxy::admin
