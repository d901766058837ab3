#pragma once
// What a decision looks like on disk, and the seals that make it this process's own: ids and MACs under keys derived
// from the secret key, one for each purpose. Immutable, thread-safe.

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>

#include "cache/access/decision_book.hpp"

namespace tankard::cache {

using digest256 = std::array<unsigned char, 32>;
/// Names a decision_key without telling it.
using row_id = digest256;

struct row_id_hash {
  std::size_t operator()(const row_id& id) const noexcept {  // an id is as good as random
    std::size_t out = 0;
    std::memcpy(&out, id.data(), sizeof out);
    return out;
  }
};

enum class verdict : std::uint8_t { deny = 0, allow = 1 };

struct decision_row {
  row_id id{};
  verdict says = verdict::deny;
  wall_point asked_at;
};

class decision_seal {
 public:
  explicit decision_seal(const secret_key& key) noexcept;
  row_id id_of(const decision_key& k) const;
  digest256 of(const decision_row& row) const noexcept;
  /// Of the latest wall time seen.
  digest256 of(wall_point mark) const noexcept;

 private:
  secret_key ids_;
  secret_key rows_;
  secret_key marks_;
};

/// In constant time.
bool same_digest(const digest256& a, const digest256& b) noexcept;

}  // namespace tankard::cache
