#pragma once
// What pushes through here made of refs lately, so that a listing which still shows what a push replaced is told apart:
// a replica of upstream that lags behind gave it (DESIGN 4). Only values that a push replaced are ever refused: what
// others made of a ref meanwhile is not known here, and is believed. Pure. Not thread-safe.

#include <chrono>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cache/io/clock.hpp"
#include "protocol/ls_refs.hpp"
#include "protocol/push_request.hpp"

namespace tankard::cache {

class pushed_refs {
 public:
  /// No replica is believed to lag longer: what is listed after that is how it is.
  static constexpr std::chrono::minutes lifetime{10};
  static constexpr std::size_t max_refs = 64;             ///< of one repository; the oldest go
  static constexpr std::size_t max_replaced_values = 16;  ///< of one ref; the oldest go

  /// Updates that upstream says it made. Branches and tags only: whatever else is pushed (`refs/for/main`) may never be
  /// listed.
  void add(std::span<const protocol::ref_update> made, boot_point now);

  /// True where `listing`, the answer to `question`, shows a value that a push replaced: a ref as it was before, a
  /// created one not at all, a deleted one still.
  bool are_ahead_of(const protocol::ls_refs_request& question, const protocol::ls_refs_response& listing,
                    boot_point now) const;

  void drop_expired(boot_point now);
  std::size_t size() const noexcept { return refs_.size(); }

 private:
  struct pushed {
    protocol::object_id value;                  // as the last push left it; zero where it deleted the ref
    std::vector<protocol::object_id> replaced;  // zero where the ref was not there
    boot_point until;

    void replace(const protocol::object_id& before, const protocol::object_id& after);
    bool has_replaced(const protocol::object_id& oid) const;
  };
  std::map<std::string, pushed, std::less<>> refs_;
};

}  // namespace tankard::cache
