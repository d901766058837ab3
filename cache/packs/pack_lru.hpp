#pragma once
// What the pack cache knows of its entries, in the order of their last use. In memory; not thread-safe.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cache/io/async_event.hpp"
#include "cache/io/clock.hpp"
#include "cache/packs/digest_hash.hpp"
#include "cache/packs/pack_key.hpp"

namespace tankard::cache {

struct cached_pack;

struct pack_entry {
  pack_name name;
  boot_point used{};                          ///< last use in this process
  bool use_saved = true;                      ///< the file's time tells it
  bool verified = false;                      ///< in this process
  std::shared_ptr<async_event> verifying;     ///< by some thread, right now; set when it is done
  std::weak_ptr<const cached_pack> open;      ///< who reads it now shares one descriptor
  std::shared_ptr<const cached_pack> held{};  ///< open though nobody may read it
};

class pack_lru {
 public:
  /// nullptr where there is none. Valid until the entry is removed.
  pack_entry* find(const sha256_digest& request);
  /// As the one used last. REQUIRES: there is none of this request.
  void insert(pack_entry e);
  /// It is the one used last now.
  void touch(const sha256_digest& request);
  bool remove(const sha256_digest& request);
  /// Keeps the descriptor of an entry for its next reader, and lets go of the one held for longest beyond `most`.
  void hold(pack_entry& e, std::shared_ptr<const cached_pack> pack, std::size_t most);

  /// Removes what was not used for longest until the limits are kept.
  std::vector<pack_name> shrink(std::uint64_t max_bytes, std::size_t max_entries);
  /// Of those that nobody reads or verifies, the one not used for longest; nullptr where there is none.
  const pack_entry* oldest_at_rest() const;
  std::vector<pack_name> remove_if(const std::function<bool(const pack_key&)>& goes);
  void for_each(const std::function<void(pack_entry&)>& use);

  std::uint64_t bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  using place = std::list<pack_entry>::iterator;
  void erase(place at);

  std::list<pack_entry> entries_;  // the one used last first
  std::unordered_map<sha256_digest, place, digest_hash> by_request_;
  std::deque<sha256_digest> held_;  // the one held for longest first; some of them may be gone
  std::uint64_t bytes_ = 0;
};

}  // namespace tankard::cache
