#include "cache/access/secret_key.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <system_error>

#include "cache/io/atomic_file.hpp"
#include "cache/repo_key.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
namespace sys = boost::system;

std::string because(const std::string& what, const fs::path& file, int error) {
  return what + " " + file.string() + ": " + std::generic_category().message(error);
}

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

bool read_exactly(int fd, std::span<unsigned char> into) {
  while (!into.empty()) {
    auto const n = ::read(fd, into.data(), into.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

// Empty where the file is fit to hold a key.
std::string what_is_wrong(const fs::path& file, const struct stat& st) {
  auto const start = "key file " + file.string();
  if (!S_ISREG(st.st_mode)) return start + " is not a regular file: remove it, and a new key is made";
  if ((st.st_mode & 077) != 0) return start + " may be used by others: run chmod 600 " + file.string();
  if (st.st_uid != ::geteuid())
    return start + " belongs to user id " + std::to_string(st.st_uid) + ", this process runs as " +
           std::to_string(::geteuid()) + ": run it as the owner, or chown the file";
  if (st.st_size != static_cast<off_t>(sizeof(secret_key)))
    return start + " is " + std::to_string(st.st_size) + " bytes long, not " + std::to_string(sizeof(secret_key)) +
           ": restore it, or remove it, and a new key is made";
  return {};
}

// nullopt where there is no file.
sys::result<std::optional<secret_key>, std::string> read_key(const fs::path& file) {
  descriptor const in(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (in.get() < 0) {
    if (errno == ENOENT) return std::optional<secret_key>{};
    if (errno == ELOOP) return "key file " + file.string() + " is a link: put the key itself there, or remove the link";
    return because("cannot read key file", file, errno);
  }
  struct stat st {};
  if (::fstat(in.get(), &st) != 0) return because("cannot read key file", file, errno);
  if (auto wrong = what_is_wrong(file, st); !wrong.empty()) return wrong;
  secret_key key{};
  if (!read_exactly(in.get(), key)) return because("cannot read key file", file, EIO);
  return std::optional(key);
}

// 0 or an errno. Folders that are made are nobody else's, and are there after a power failure.
int make_folders(const fs::path& folder) {
  if (folder.empty() || ::access(folder.c_str(), F_OK) == 0) return 0;
  auto const parent = folder.has_filename() ? folder.parent_path() : folder.parent_path().parent_path();
  if (int const error = make_folders(parent); error != 0) return error;
  if (::mkdir(folder.c_str(), 0700) != 0) return errno == EEXIST ? 0 : errno;
  auto const synced = sync_directory(parent.empty() ? fs::path(".") : parent);
  return synced ? 0 : synced.error().value();
}

int random_bytes(std::span<unsigned char> into) {
  while (!into.empty()) {
    auto const n = ::getrandom(into.data(), into.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    into = into.subspan(static_cast<std::size_t>(n));
  }
  return 0;
}

int write_key(const fs::path& temp, const secret_key& key) {
  descriptor const out(::open(temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (out.get() < 0) return errno;
  std::span<const unsigned char> rest(key);
  while (!rest.empty()) {
    auto const n = ::write(out.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    rest = rest.subspan(static_cast<std::size_t>(n));
  }
  return ::fsync(out.get()) == 0 ? 0 : errno;
}

// Of processes that start together one wins, and the name never stands for a half-written key: link() and
// RENAME_NOREPLACE (for file systems without links) both refuse a name that is taken.
int put_in_place(const fs::path& temp, const fs::path& file) {
  if (::link(temp.c_str(), file.c_str()) == 0 || errno == EEXIST) return 0;
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) return errno;
  if (::renameat2(AT_FDCWD, temp.c_str(), AT_FDCWD, file.c_str(), RENAME_NOREPLACE) == 0 || errno == EEXIST) return 0;
  return errno;
}

int make_key(const fs::path& file) {
  auto const parent = file.parent_path().empty() ? fs::path(".") : file.parent_path();
  if (int const error = make_folders(parent); error != 0) return error;
  secret_key key{};
  if (int const error = random_bytes(key); error != 0) return error;
  auto const temp = parent / ("." + new_generation() + std::string(temp_suffix));
  int error = write_key(temp, key);
  if (error == 0) error = put_in_place(temp, file);
  ::unlink(temp.c_str());
  if (error != 0) return error;
  auto const synced = sync_directory(parent);
  return synced ? 0 : synced.error().value();
}

}  // namespace

sys::result<secret_key, std::string> obtain_secret_key(const fs::path& file) {
  auto found = read_key(file);
  if (found && !*found) {
    if (int const error = make_key(file); error != 0) return because("cannot make key file", file, error);
    found = read_key(file);  // maybe another process's
  }
  if (!found) return found.error();
  if (!*found) return "key file " + file.string() + " vanished while it was made: start again";
  return **found;
}

// A digest that failed would be the same for everybody, and one credential as good as another: better to end here.
std::array<unsigned char, 32> keyed_digest(const secret_key& key, std::string_view text) noexcept {
  std::array<unsigned char, 32> out{};
  unsigned size = 0;
  auto const* made = ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
                            reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
  if (made == nullptr || size != out.size()) {
    std::fputs("tankard: HMAC-SHA256 failed\n", stderr);
    std::terminate();
  }
  return out;
}

std::string keyed_digest_hex(const secret_key& key, std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (unsigned char const b : keyed_digest(key, text)) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

}  // namespace tankard::cache
