#pragma once
// Which trees and blobs are reachable from commits (partial clones ask for them one by one): a walk from the newest
// commit back that goes only as far as it must, and is gone on with where somebody asks for more.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/store/git_repository.hpp"

namespace tankard::cache {

/// A walk that has met so many objects ends: what it did not meet counts as unreachable.
inline constexpr std::size_t max_walk_objects = 2'000'000;

/// A set of oids in little room: 128 bits name an object as well as all of its oid.
class oid_marks {
 public:
  /// False where it was there already.
  bool insert(const protocol::object_id& oid);
  bool contains(const protocol::object_id& oid) const noexcept;
  std::size_t size() const noexcept { return size_; }

 private:
  using key = std::array<std::uint64_t, 2>;
  static key key_of(const protocol::object_id& oid) noexcept;
  std::size_t slot_of(const key& k) const noexcept;  ///< where it is, or would be
  void grow();
  std::vector<key> slots_;  // a power of two, all-zero where free
  std::size_t size_ = 0;
};

/// Thread-safe: several that ask at once take turns, and each goes on where the last one stopped.
class object_walk {
 public:
  using oid_list = std::vector<protocol::object_id>;
  using commit_list = std::shared_ptr<const oid_list>;
  using reader = std::function<git_result<git_repository::content>(const protocol::object_id&)>;

  explicit object_walk(commit_list from, std::size_t most = max_walk_objects);
  const oid_list& from() const noexcept { return *from_; }

  /// Those of `wants` that are no commit, tree or blob reachable from `from()`, in their order. Reads as little as it
  /// can; an error of `read` is returned, and the next call begins with what could not be read. At its `end` what was
  /// not met yet counts as unreachable, and the next call goes on.
  git_result<oid_list> beyond(const oid_list& wants, const reader& read, const walk_end& end);
  std::size_t objects() const noexcept { return objects_; }  ///< met so far

 private:
  struct dated_commit {
    std::int64_t time = 0;
    protocol::object_id tree;
    oid_list parents;
  };
  // All REQUIRE: mu_.
  bool over() const noexcept;
  git_result<void> step(const reader& read);  ///< reads one object at most
  git_result<void> enter_tree(const reader& read);
  git_result<void> enter_commit(const reader& read);
  void leave_newest();

  commit_list from_;
  std::size_t most_;
  mutable std::mutex mu_;              // held while a few objects are read, never over a wait
  oid_marks met_;                      // guarded by mu_
  oid_list trees_;                     // guarded by mu_; met, and not read yet
  oid_list commits_;                   // guarded by mu_; met, and not read yet
  std::vector<dated_commit> history_;  // guarded by mu_; read, its tree and parents not met yet: a heap
  std::atomic<std::size_t> objects_{0};
};

}  // namespace tankard::cache
