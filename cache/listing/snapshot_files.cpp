#include "cache/listing/snapshot_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "cache/io/atomic_file.hpp"

namespace tankard::cache {
namespace {

namespace sys = boost::system;

constexpr std::string_view suffix = ".snapshot";

sys::error_code last_error() noexcept { return {errno, sys::system_category()}; }

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

std::optional<storage_digest> id_of(std::string_view name) noexcept {
  storage_digest id{};
  if (name.size() != 2 * id.size() + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  for (std::size_t i = 0; i < id.size(); ++i) {
    int const high = digit(name[2 * i]);
    int const low = digit(name[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return id;
}

struct close_dir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

template <class F>
sys::result<void> for_each_name(const std::filesystem::path& folder, F&& use) {
  std::unique_ptr<DIR, close_dir> const dir(::opendir(folder.c_str()));
  if (!dir) return last_error();
  while (true) {
    errno = 0;
    auto const* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    std::string_view const name(static_cast<const char*>(entry->d_name));
    if (name != "." && name != "..") use(name);
  }
  if (errno != 0) return last_error();
  return {};
}

sys::result<void> make_folder(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return last_error();
  struct stat st {};
  if (::stat(folder.c_str(), &st) != 0) return last_error();
  if (!S_ISDIR(st.st_mode)) return sys::error_code(ENOTDIR, sys::system_category());
  if (::access(folder.c_str(), R_OK | W_OK | X_OK) != 0) return last_error();
  return {};
}

sys::result<void> write_fd(int fd, std::string_view bytes, bool flush) {
  while (!bytes.empty()) {
    auto const n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (flush && ::fsync(fd) != 0) return last_error();
  return {};
}

}  // namespace

std::filesystem::path snapshot_files::path_of(const storage_digest& id) const {
  return folder() / (storage_id(id) + std::string(suffix));
}

std::filesystem::path snapshot_files::beside(const storage_digest& id) const {
  return folder() / (storage_id(id) + std::string(temp_suffix));
}

sys::result<snapshot_files::index> snapshot_files::load() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) return sys::error_code(error);
  for (auto const& made : {folder(), quarantine_folder()})
    if (auto const ok = make_folder(made); !ok) return ok.error();
  if (auto const ok = read_quarantine(); !ok) return ok.error();

  index out;
  std::vector<std::string> leftover;
  auto const ok = for_each_name(folder(), [&](std::string_view name) {
    if (auto const id = id_of(name))
      out.ids.push_back(*id);
    else
      (name.ends_with(temp_suffix) ? leftover : out.foreign).emplace_back(name);
  });
  if (!ok) return ok.error();
  for (auto const& name : leftover) ::unlink((folder() / name).c_str());
  for (auto const& name : out.foreign)
    if (auto const moved = move_aside(name); !moved) return moved.error();
  return out;
}

sys::result<void> snapshot_files::read_quarantine() {
  quarantined_.clear();
  auto const ok = for_each_name(quarantine_folder(), [&](std::string_view name) { quarantined_.emplace_back(name); });
  std::ranges::sort(quarantined_);  // names begin with the time
  return ok;
}

sys::result<std::string> snapshot_files::read(const storage_digest& id) const {
  return read_file(path_of(id), max_file);
}

bool snapshot_files::is_damage(const sys::error_code& e) noexcept {
  namespace errc = sys::errc;
  return e == errc::io_error || e == errc::is_a_directory || e == errc::invalid_argument || e == errc::file_too_large;
}

sys::result<void> snapshot_files::write_beside(const storage_digest& id, std::string_view bytes, bool flush) {
  if (bytes.size() > max_file) return make_error_code(sys::errc::file_too_large);
  auto const file = beside(id);
  int const fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return last_error();
  auto written = write_fd(fd, bytes, flush);
  if (::close(fd) != 0 && written) written = last_error();
  if (!written) ::unlink(file.c_str());
  return written;
}

sys::result<void> snapshot_files::flush_all() {
  int const fd = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return last_error();
  sys::result<void> out;
  if (::syncfs(fd) != 0) out = last_error();
  ::close(fd);
  return out;
}

sys::result<void> snapshot_files::put_in_place(const storage_digest& id) {
  if (::rename(beside(id).c_str(), path_of(id).c_str()) == 0) return {};
  auto const cause = last_error();
  remove_beside(id);
  return cause;
}

void snapshot_files::remove_beside(const storage_digest& id) noexcept { ::unlink(beside(id).c_str()); }

sys::result<void> snapshot_files::remove(const storage_digest& id) {
  if (::unlink(path_of(id).c_str()) != 0 && errno != ENOENT) return last_error();
  return {};
}

sys::result<void> snapshot_files::quarantine(const storage_digest& id) { return move_aside(path_of(id).filename()); }

sys::result<void> snapshot_files::move_aside(const std::string& name) {
  auto const now = std::chrono::system_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
  std::array<char, 32> when{};
  std::snprintf(when.data(), when.size(), "%020lld.", static_cast<long long>(now));
  auto const kept = when.data() + name.substr(0, 200);
  if (::rename((folder() / name).c_str(), (quarantine_folder() / kept).c_str()) != 0) {
    if (errno == ENOENT) return {};
    return last_error();
  }
  quarantined_.push_back(kept);
  std::error_code ignored;
  for (; quarantined_.size() > max_quarantined_; quarantined_.pop_front())
    std::filesystem::remove_all(quarantine_folder() / quarantined_.front(), ignored);
  return {};
}

sys::result<void> snapshot_files::sync() { return sync_directory(folder()); }

}  // namespace tankard::cache
