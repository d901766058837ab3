#pragma once
// The indexes of a store's packs, read by ourselves where it counts why an object was not found (libgit2 takes an index
// that it cannot open, for want of descriptors or memory, for one that does not name the object), and where else a
// process would have to be asked (SHA-256). Blocking. Thread-safe.

#include <boost/system/result.hpp>
#include <filesystem>
#include <memory>
#include <vector>

#include "protocol/object_id.hpp"

namespace tankard::cache {

/// The indexes as they are now, which stay mapped. Errors: damaged_pack where an index is none (of version 2, as git
/// writes them), else the system's own.
class pack_indexes {
 public:
  static boost::system::result<pack_indexes> open(const std::filesystem::path& pack_folder,
                                                  protocol::object_format format);
  bool names(const protocol::object_id& oid) const noexcept;

 private:
  class mapped_index;
  std::vector<std::shared_ptr<const mapped_index>> indexes_;
};

/// Those of `oids` that no index below `pack_folder` names. Errors as above.
boost::system::result<std::vector<protocol::object_id>> not_indexed(const std::filesystem::path& pack_folder,
                                                                    const std::vector<protocol::object_id>& oids,
                                                                    protocol::object_format format);

}  // namespace tankard::cache
