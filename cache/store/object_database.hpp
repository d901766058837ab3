#pragma once
// What a store asks of the objects in its packs. Two can answer: libgit2 (libgit2_database.hpp), and git itself where
// libgit2 cannot, for SHA-256 (git_process_database.hpp). Blocking; used by one thread at a time.

#include <boost/system/result.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "cache/store/walk_end.hpp"
#include "protocol/object_id.hpp"

namespace tankard::cache {

template <class T>
using git_result = boost::system::result<T, std::string>;  ///< the error is a sentence: git's, or libgit2's own

inline constexpr std::size_t max_read_bytes = 256u << 20;  ///< a tree of millions of entries

enum class object_kind : std::uint8_t { commit, tree, blob, tag };

struct object_content {
  object_content(const char* data, std::size_t size) : bytes(data, size) {}  // a sentence is an error, and no content
  std::string bytes;
};

class object_database {
 public:
  virtual ~object_database() = default;
  /// It will not answer any more, whatever it is asked: errors say nothing of the objects.
  virtual bool is_broken() const noexcept { return false; }
  /// Reads the list of packs again.
  virtual git_result<void> refresh() = 0;
  /// Whether the packs known so far name the object.
  virtual bool has(const protocol::object_id& oid) = 0;
  /// Errors: missing, unreadable.
  virtual git_result<object_kind> kind_of(const protocol::object_id& oid) = 0;
  /// An object as git stores it, in at most `max_read_bytes`. Errors: missing, unreadable, larger.
  virtual git_result<object_content> read(const protocol::object_id& oid) = 0;
  /// Those of `wanted` that are reachable from `commits`: one walk, which ends when all are found. At its `end` an
  /// error, or those that were found until then.
  virtual git_result<std::vector<protocol::object_id>> ancestors_among(
      const std::vector<protocol::object_id>& commits, const std::unordered_set<protocol::object_id>& wanted,
      const walk_end& end) = 0;
};
using object_database_ptr = std::unique_ptr<object_database>;

}  // namespace tankard::cache
