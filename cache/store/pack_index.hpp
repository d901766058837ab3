#pragma once
// The indexes of a store's packs, read by ourselves where it counts why an object was not found: libgit2 takes an index
// that it cannot open (no descriptors, no memory) for one that does not name the object. Blocking. Thread-safe.

#include <boost/system/result.hpp>
#include <filesystem>
#include <vector>

#include "protocol/object_id.hpp"

namespace tankard::cache {

/// Those of `oids` that no index below `pack_folder` names. Errors: damaged_pack where an index is none (of version 2,
/// as git writes them), else the system's own.
boost::system::result<std::vector<protocol::object_id>> not_indexed(const std::filesystem::path& pack_folder,
                                                                    const std::vector<protocol::object_id>& oids);

}  // namespace tankard::cache
