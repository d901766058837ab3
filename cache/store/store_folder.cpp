#include "cache/store/store_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "cache/io/atomic_file.hpp"
#include "cache/store/store_errc.hpp"
#include "cache/store/store_files.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
using boost::system::error_code;

constexpr std::size_t pack_header_size = 12;

error_code last_error() { return {errno, boost::system::system_category()}; }

/// The file's bytes at an offset, counted from the end where negative; empty where there are not as many.
boost::system::result<std::string> read_at(const fs::path& file, off_t offset, std::size_t size) {
  int const fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return damage_or(last_error(), store_errc::damaged_pack);
  struct stat st{};
  auto failed = ::fstat(fd, &st) == 0 ? error_code{} : last_error();
  off_t const from = offset < 0 ? st.st_size + offset : offset;
  std::string out(size, '\0');
  std::size_t have = 0;
  while (!failed && from >= 0 && have < size) {
    auto const n = ::pread(fd, out.data() + have, size - have, from + static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) failed = last_error();
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  ::close(fd);
  if (failed) return damage_or(failed, store_errc::damaged_pack);
  if (have < size) out.clear();
  return out;
}

bool is_pack_header(std::string_view h) {
  return h.size() == pack_header_size && h.starts_with(std::string_view("PACK\0\0\0", 7)) && (h[7] == 2 || h[7] == 3);
}

fs::path with_extension(fs::path file, const char* extension) { return file.replace_extension(extension); }

/// Of one file below a store: what a git child, or tankard, that was killed leaves behind.
bool is_leftover(const fs::path& file) {
  auto const name = file.filename().string();
  if (name.ends_with(".lock") || name.ends_with(temp_suffix)) return true;
  if (name.starts_with("tmp_") || name.starts_with(".tmp-")) return true;
  auto const kind = file.extension();
  bool const pack = kind == ".pack" || kind == ".rev" || kind == ".bitmap";
  return pack && !fs::exists(with_extension(file, ".idx"));
}

boost::system::result<void> move_pack(const fs::path& pack, const fs::path& to) {
  auto const target = [&](const char* extension) { return with_extension(to / pack.filename(), extension); };
  for (std::string_view const extension : {".pack", ".rev", ".bitmap", ".idx"}) {
    if (::rename(with_extension(pack, extension.data()).c_str(), target(extension.data()).c_str()) == 0) continue;
    auto const cause = last_error();
    bool const optional = extension == ".rev" || extension == ".bitmap";
    if (cause == boost::system::errc::no_such_file_or_directory && optional) continue;
    if (!fs::exists(target(".idx")))  // else the same pack had come before
      for (auto const* part : {".pack", ".rev", ".bitmap"}) ::unlink(target(part).c_str());
    return cause;
  }
  return {};
}

}  // namespace

boost::system::result<void> make_bare_repository(const fs::path& folder, protocol::object_format format) {
  std::error_code ec;
  for (auto const* sub : {"objects/pack", "objects/info", "refs/heads", "refs/tags"}) {
    fs::create_directories(folder / sub, ec);
    if (ec) return error_code(ec);
  }
  auto made = write_file_atomically(folder / config_file, store_config(format));
  if (made) made = write_file_atomically(folder / head_file, write_head({"refs/heads/main", std::nullopt}));
  if (made) made = write_file_atomically(folder / packed_refs_file, write_packed_refs({}));
  return made;
}

boost::system::result<std::vector<fs::path>> files_of(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec))
    if (it->path().extension() == extension) out.push_back(it->path());
  if (ec) return damage_or(ec, store_errc::damaged_pack);
  return out;
}

boost::system::result<std::string> pack_digest(const fs::path& pack, protocol::object_format format) {
  auto const header = read_at(pack, 0, pack_header_size);
  if (!header) return header.error();
  auto const raw = read_at(pack, -static_cast<off_t>(raw_size(format)), raw_size(format));
  if (!raw) return raw.error();
  if (!is_pack_header(*header) || raw->empty()) return store_errc::damaged_pack;
  return protocol::object_id::from_raw(std::as_bytes(std::span(*raw)))->hex();
}

boost::system::result<void> check_packs(const fs::path& pack_folder, protocol::object_format format) {
  auto const indexes = files_of(pack_folder, ".idx");
  if (!indexes) return indexes.error();
  for (auto const& idx : *indexes) {
    auto const named = read_at(idx, -2 * static_cast<off_t>(raw_size(format)), raw_size(format));
    if (!named) return named.error();
    auto const digest = pack_digest(with_extension(idx, ".pack"), format);
    if (!digest) return digest.error();
    auto const expected = protocol::object_id::from_raw(std::as_bytes(std::span(*named)));
    if (!expected || expected->hex() != *digest) return store_errc::damaged_pack;
  }
  auto const packs = files_of(pack_folder, ".pack");
  if (!packs) return packs.error();
  for (auto const& pack : *packs)
    if (0 == std::ranges::count(*indexes, with_extension(pack, ".idx"))) return store_errc::damaged_pack;
  return {};
}

boost::system::result<void> move_packs(const fs::path& from, const fs::path& to) {
  auto const packs = files_of(from, ".pack");
  if (!packs) return packs.error();
  for (auto const& pack : *packs) {
    auto const header = read_at(pack, 0, pack_header_size);
    if (!header) return header.error();
    if (!is_pack_header(*header)) return store_errc::damaged_pack;
    if (header->ends_with(std::string_view("\0\0\0\0", 4))) continue;
    if (auto const moved = move_pack(pack, to); !moved) return moved;
  }
  return sync_directory(to);
}

void remove_pack(const fs::path& pack) noexcept {
  for (auto const* extension : {".idx", ".bitmap", ".rev", ".pack"}) ::unlink(with_extension(pack, extension).c_str());
}

boost::system::result<void> sync_file(const fs::path& file) {
  int const fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return last_error();
  auto const result = ::fsync(fd) == 0 ? error_code{} : last_error();
  ::close(fd);
  if (result) return result;
  return {};
}

boost::system::result<void> sync_tree(const fs::path& folder) {
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec))
    if (auto const r = sync_file(it->path()); !r) return r;
  if (ec) return error_code(ec);
  return sync_file(folder);
}

std::uint64_t bytes_below(const fs::path& folder) {
  std::uint64_t sum = 0;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code gone;
    if (it->is_regular_file(gone) && !gone)
      if (auto const size = it->file_size(gone); !gone) sum += size;
  }
  return sum;
}

std::uint64_t reap_leftovers(const fs::path& folder) {
  std::vector<fs::path> leftovers;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec))
    if (std::error_code gone; it->is_regular_file(gone) && is_leftover(it->path())) leftovers.push_back(it->path());
  for (auto const& file : leftovers) ::unlink(file.c_str());
  return bytes_below(folder);
}

void discard_folder(const fs::path& victim, const fs::path& trash) noexcept try {
  auto const leaf = victim.filename();
  if (leaf.empty() || leaf == "." || leaf == ".." || fs::is_symlink(fs::symlink_status(victim))) return;
  auto const moved = move_to_trash(victim, trash);
  if (!moved) return;  // gone already, or the disk is broken: start-up empties staging
  std::error_code ignored;
  fs::remove_all(*moved, ignored);
} catch (const std::exception&) {
  // out of memory or a path that cannot be: what is left is found at start-up
}

void empty_folder(const fs::path& folder) noexcept try {
  if (!fs::is_directory(fs::symlink_status(folder))) return;
  std::error_code ec, ignored;
  std::vector<fs::path> leaves;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) leaves.push_back(it->path());
  for (auto const& leaf : leaves) fs::remove_all(leaf, ignored);
} catch (const std::exception&) {
}

}  // namespace tankard::cache
