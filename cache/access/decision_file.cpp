#include "cache/access/decision_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>

#include "cache/io/atomic_file.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
namespace sys = boost::system;

std::string cause_of(int error) { return std::generic_category().message(error); }

file_problem unusable(int error) { return {file_trouble::unusable, cause_of(error)}; }

// 0 or an errno.
int unlink_if_there(const fs::path& file) noexcept {
  return ::unlink(file.c_str()) == 0 || errno == ENOENT ? 0 : errno;
}

// For a folder that lets nothing be removed: an empty file holds no decision either. SQLite drops a journal beside an
// empty database.
int empty_durably(const fs::path& file) noexcept {
  int const fd = ::open(file.c_str(), O_WRONLY | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return errno;
  int const error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  return error;
}

sys::result<void, std::string> sync(const fs::path& folder) {
  if (auto const synced = sync_directory(folder); !synced) return synced.error().message();
  return {};
}

std::string time_prefix() {
  auto const now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%020lld.", static_cast<long long>(now));
  return text.data();
}

}  // namespace

fs::path decision_file::folder() const {
  auto parent = file_.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

// The database first: without it the rest means nothing.
std::vector<fs::path> decision_file::all_files() const {
  std::vector<fs::path> out{file_};
  for (auto const* suffix : {"-journal", "-wal", "-shm"}) out.emplace_back(file_.string() + suffix);
  return out;
}

sys::result<saved_decisions, file_problem> decision_file::open() {
  struct stat st {};
  if (::lstat(file_.c_str(), &st) != 0) {
    if (errno != ENOENT) return unusable(errno);
    if (auto const made = make(); !made) return made.error();
  } else {
    if (!S_ISREG(st.st_mode)) return file_problem{file_trouble::damaged, "it is not a regular file"};
    if (is_of_newer_version(file_)) return file_problem{file_trouble::newer, "it was written by a newer version"};
    if ((st.st_mode & 077) != 0 && ::chmod(file_.c_str(), 0600) != 0) return unusable(errno);
  }
  return database_.open(file_);
}

// A journal that was left behind would be played back into the new file.
sys::result<void, file_problem> decision_file::make() {
  std::error_code error;
  fs::create_directories(folder().parent_path(), error);
  if (error) return unusable(error.value());
  bool const made = ::mkdir(folder().c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return unusable(errno);
  auto const stale = all_files();
  for (auto it = stale.begin() + 1; it != stale.end(); ++it)
    if (int const e = unlink_if_there(*it); e != 0) return unusable(e);
  int const fd = ::open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return unusable(errno);
  ::close(fd);
  if (auto const synced = sync_directory(folder()); !synced) return unusable(synced.error().value());
  return {};
}

sys::result<void, std::string> decision_file::remove() {
  database_.close();
  int const error = unlink_if_there(file_);
  if (error == ENOTDIR) return {};  // its folder is none: there is no file
  if (error != 0) {
    if (empty_durably(file_) != 0) return cause_of(error);
    return {};
  }
  for (auto const& beside : all_files()) unlink_if_there(beside);
  std::error_code ignored;
  if (auto const synced = sync(folder()); !synced && fs::exists(folder(), ignored)) return synced.error();
  return {};
}

sys::result<void, std::string> decision_file::set_aside() {
  database_.close();
  auto const quarantine = folder() / "quarantine";
  if (::mkdir(quarantine.c_str(), 0700) != 0 && errno != EEXIST) return cause_of(errno);
  auto const prefix = time_prefix();
  for (auto const& file : all_files()) {
    auto const kept = quarantine / (prefix + file.filename().string());
    if (::rename(file.c_str(), kept.c_str()) != 0 && errno != ENOENT) return cause_of(errno);
  }
  forget_oldest_quarantined();
  if (auto const synced = sync(quarantine); !synced) return synced;
  return sync(folder());
}

void decision_file::forget_oldest_quarantined() const {
  std::error_code ignored;
  std::vector<fs::path> kept;
  for (fs::directory_iterator it(folder() / "quarantine", ignored), end; it != end; it.increment(ignored))
    if (it->path().filename().string().find(file_.filename().string()) != std::string::npos) kept.push_back(it->path());
  std::ranges::sort(kept);  // names begin with the time
  while (kept.size() > max_quarantined) {
    fs::remove_all(kept.front(), ignored);
    kept.erase(kept.begin());
  }
}

bool decision_file::is_removable() const noexcept { return ::access(folder().c_str(), W_OK | X_OK) == 0; }

}  // namespace tankard::cache
