#include "cache/packs/pack_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>

#include "cache/io/atomic_file.hpp"
#include "cache/io/file_digest.hpp"
#include "cache/packs/file_copy.hpp"

namespace tankard::cache {
namespace {

namespace sys = boost::system;

sys::error_code last_error() noexcept { return {errno, sys::system_category()}; }
sys::error_code damage() noexcept { return make_error_code(sys::errc::bad_message); }

timespec to_timespec(wall_point t) noexcept {
  auto const since = t.time_since_epoch();
  auto const seconds = std::chrono::floor<std::chrono::seconds>(since);
  return {static_cast<time_t>(seconds.count()), static_cast<long>((since - seconds).count())};
}

wall_point to_point(const timespec& t) noexcept {
  return wall_point(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

struct close_dir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

using found = pack_files::listed;

// What a file of the folder is: an entry; nothing to keep; or nothing of ours to touch (a folder).
enum class kind { entry, leftover, damaged, foreign };
kind look_at(int folder, const char* file, found& out) {
  struct stat st{};
  if (::fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode)) return kind::foreign;
  if (std::string_view(file).ends_with(temp_suffix)) return kind::leftover;
  auto name = pack_name::parse(file);
  if (!name || !S_ISREG(st.st_mode) || static_cast<std::uint64_t>(st.st_size) != name->size) return kind::damaged;
  out = {std::move(*name), to_point(st.st_mtim)};
  return kind::entry;
}

// Of two responses to one request, which a crash may leave, the one used last counts.
void remove_doubles(int folder, std::vector<found>& entries) {
  auto const before = [](const found& a, const found& b) {
    return a.name.key.request != b.name.key.request ? a.name.key.request < b.name.key.request : a.used > b.used;
  };
  std::ranges::sort(entries, before);
  auto const same = [](const found& a, const found& b) { return a.name.key.request == b.name.key.request; };
  for (std::size_t i = 1; i < entries.size(); ++i)
    if (same(entries[i - 1], entries[i])) ::unlinkat(folder, entries[i].name.text().c_str(), 0);
  auto const doubles = std::ranges::unique(entries, same);
  entries.erase(doubles.begin(), doubles.end());
}

}  // namespace

pack_files::staged::~staged() {
  if (!temp_.empty()) ::unlink(temp_.c_str());
}

pack_files::result<pack_files::listing> pack_files::load() {
  for (auto const& made : {root_, folder_})
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) return last_error();
  std::unique_ptr<DIR, close_dir> const dir(::opendir(folder_.c_str()));
  if (!dir) return last_error();
  int const folder = ::dirfd(dir.get());
  std::vector<std::string> to_remove;
  listing out;
  while (true) {
    errno = 0;
    auto const* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    auto const* file = static_cast<const char*>(entry->d_name);
    found f;
    auto const what = look_at(folder, file, f);
    if (what == kind::entry) out.entries.push_back(std::move(f));
    if (what == kind::leftover || what == kind::damaged) to_remove.emplace_back(file);
    if (what == kind::damaged) ++out.damaged;
  }
  if (errno != 0) return last_error();
  for (auto const& file : to_remove) ::unlinkat(folder, file.c_str(), 0);
  remove_doubles(folder, out.entries);
  std::ranges::sort(out.entries, {}, &found::used);
  return out;
}

std::filesystem::path pack_files::new_temp() {
  return folder_ / (".put-" + std::to_string(temps_++) + std::string(temp_suffix));
}

pack_files::result<pack_files::staged> pack_files::stage(int fd, std::uint64_t size, wall_point now) {
  auto temp = new_temp();
  auto const open = "/proc/self/fd/" + std::to_string(fd);
  // Not every file can be linked: one of another file system, one that had a name and lost it.
  bool const linked = ::linkat(AT_FDCWD, open.c_str(), AT_FDCWD, temp.c_str(), AT_SYMLINK_FOLLOW) == 0;
  staged out(std::move(temp), !linked);
  unique_fd copy;
  if (!linked) {
    copy = unique_fd(::open(out.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!copy) return last_error();
    if (auto const copied = copy_bytes(fd, copy.get(), size); !copied) return copied.error();
  }
  int const target = linked ? fd : copy.get();
  timespec const times[2] = {{0, UTIME_OMIT}, to_timespec(now)};
  if (::futimens(target, times) != 0 || ::fsync(target) != 0) return last_error();
  return out;
}

pack_files::result<void> pack_files::place(const staged& from, const pack_name& name) {
  // Where both are links to one file already rename does nothing, and `staged` removes the other link.
  if (::rename(from.path().c_str(), path_of(name).c_str()) != 0) return last_error();
  return {};
}

pack_files::result<unique_fd> pack_files::open(const pack_name& name) const {
  unique_fd fd(::open(path_of(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return last_error();
  struct stat st{};
  if (::fstat(fd.get(), &st) != 0) return last_error();
  if (!S_ISREG(st.st_mode) || static_cast<std::uint64_t>(st.st_size) != name.size) return damage();
  return fd;
}

bool pack_files::is_damage(const sys::error_code& e) noexcept {
  namespace errc = sys::errc;
  return e == errc::bad_message || e == errc::no_such_file_or_directory || e == errc::io_error ||
         e == errc::too_many_symbolic_link_levels || e == errc::is_a_directory;
}

pack_files::result<void> pack_files::verify(int fd, const pack_name& name) {
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  auto const found = file_digest(fd, name.size);
  if (!found) return found.error();
  if (*found != name.digest) return damage();
  return {};
}

pack_files::result<void> pack_files::remove(const pack_name& name) {
  if (::unlink(path_of(name).c_str()) != 0 && errno != ENOENT) return last_error();
  return {};
}

void pack_files::set_last_use(const pack_name& name, wall_point at) noexcept {
  timespec const times[2] = {{0, UTIME_OMIT}, to_timespec(at)};
  ::utimensat(AT_FDCWD, path_of(name).c_str(), times, AT_SYMLINK_NOFOLLOW);  // lost, it goes a little too early
}

pack_files::result<void> pack_files::sync() { return sync_directory(folder_); }

}  // namespace tankard::cache
