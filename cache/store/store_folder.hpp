#pragma once
// The folder of a store as a bare repository: making one, checking one, moving packs between two. Blocking.
// Thread-safe.

#include <boost/system/result.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/object_id.hpp"

namespace tankard::cache {

/// Makes what git needs to call the (existing, empty) folder a bare repository: HEAD, config, objects, refs.
boost::system::result<void> make_bare_repository(const std::filesystem::path& folder, protocol::object_format format);

/// Errors as of damage_or(damaged_pack): here, and of the next two.
boost::system::result<std::vector<std::filesystem::path>> files_of(const std::filesystem::path& folder,
                                                                   std::string_view extension);

/// Every index has its pack, the pack begins as one and ends with the digest that the index names, and there is no pack
/// without an index. Cheap: reads the ends of the files.
boost::system::result<void> check_packs(const std::filesystem::path& pack_folder, protocol::object_format format);

/// Moves all packs of one objects/pack to another of the same file system and flushes the latter: the pack before its
/// index, which is what makes it visible. Packs without objects are left behind. Safe to repeat.
boost::system::result<void> move_packs(const std::filesystem::path& from, const std::filesystem::path& to);

/// Deletes a pack with all that belongs to it, its index first: what is left after a crash is no pack, and reaped.
void remove_pack(const std::filesystem::path& pack) noexcept;

/// The hex digest at the end of a pack, which is also its name; error damaged_pack where the file is no pack.
boost::system::result<std::string> pack_digest(const std::filesystem::path& pack, protocol::object_format format);

/// fsync of one file, and of every file and folder below a folder.
boost::system::result<void> sync_file(const std::filesystem::path& file);
boost::system::result<void> sync_tree(const std::filesystem::path& folder);

/// Bytes of the files below the folder. Files that vanish meanwhile do not count.
std::uint64_t bytes_below(const std::filesystem::path& folder);

/// Removes what a killed git left: *.lock, tmp_* and our own temporary files, and packs that have no index. Returns the
/// bytes kept.
std::uint64_t reap_leftovers(const std::filesystem::path& folder);

/// Moves `victim` into the trash and deletes it there. REQUIRES: victim is a direct child of a folder of ours; anything
/// else (a symlink, "..", the root) is left alone.
void discard_folder(const std::filesystem::path& victim, const std::filesystem::path& trash) noexcept;
/// Deletes what is directly below `folder`, never `folder` itself.
void empty_folder(const std::filesystem::path& folder) noexcept;

}  // namespace tankard::cache
