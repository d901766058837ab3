#pragma once
// Answers to fetch that are being produced, found by their canonical request: who asks the same follows the same spool
// from byte 0 (DESIGN 5, plan 2).
//
// Life of a flight: entered by its leader -> answering (its spool is there) | declined (nothing to share: the leader
// was refused, the answer is not one to share, the disk is full) -> ended, and found by nobody any more.
// The production runs for the repository, not for the leader: it goes on when his connection ends.
// Thread-safe. Bounded by the requests under way.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "cache/io/async_event.hpp"
#include "cache/packs/digest_hash.hpp"
#include "cache/packs/pack_key.hpp"
#include "cache/spool/spool.hpp"
#include "proxy/net/asio.hpp"
#include "proxy/outcome.hpp"

namespace tankard::proxy::refresh {

/// What a producer said on band 2, for those who follow: it is not part of what is shared. Bounded: the oldest goes.
class progress_text {
 public:
  static constexpr std::size_t most = 4096;

  void add(std::string_view text);
  /// What came behind `position`, which is moved; as much of it as is still there.
  std::string since(std::uint64_t& position) const;

 private:
  mutable std::mutex mu_;
  std::string last_;         // guarded by mu_
  std::uint64_t total_ = 0;  // guarded by mu_; bytes ever added
};

class pack_flight {
 public:
  explicit pack_flight(cache::pack_key key) : key_(std::move(key)) {}

  const cache::pack_key& key() const noexcept { return key_; }

  /// The leader's: one of the two; the first counts.
  void answer(cache::spool_ptr s);
  void decline();

  /// Waits until the leader has an answer or has given up. False where `limit` passed first.
  awaitable<bool> settled(std::chrono::steady_clock::duration limit);
  /// From byte 0; null where there is no answer to follow, or none any more.
  std::unique_ptr<cache::spool_follower> follow() const;
  bool can_be_joined() const;

  /// Somebody else asked the same: worth keeping.
  void note_shared() noexcept { shared_ = true; }
  bool is_shared() const noexcept { return shared_; }
  /// Why the production failed, told before its spool is: read by those who followed it.
  void note_broken(reason why) noexcept { broken_ = why; }
  reason broken() const noexcept { return broken_; }

  progress_text progress;

 private:
  const cache::pack_key key_;
  mutable std::mutex mu_;
  bool decided_ = false;    // guarded by mu_
  cache::spool_ptr spool_;  // guarded by mu_
  cache::async_event settled_;
  std::atomic<bool> shared_{false};
  std::atomic<reason> broken_{reason::none};
};
using pack_flight_ptr = std::shared_ptr<pack_flight>;

class pack_flights {
 public:
  /// The flight of this request, and whether it is the caller's to lead: it is a new one then.
  struct place {
    pack_flight_ptr flight;
    bool leads = false;
  };
  place enter(const cache::pack_key& key);
  /// enter() would find one to join.
  bool has(const cache::pack_key& key) const;
  /// It is found by nobody from here.
  void leave(const pack_flight_ptr& flight);
  std::size_t size() const;

 private:
  mutable std::mutex mu_;
  std::unordered_map<cache::sha256_digest, pack_flight_ptr, cache::digest_hash> running_;  // guarded by mu_
};

/// The leader's hold on his flight. Nobody waits for one who gave up: it is declined and left when this goes.
class led_flight {
 public:
  led_flight(pack_flights& board, pack_flight_ptr flight) : board_(&board), flight_(std::move(flight)) {}
  led_flight(led_flight&& other) noexcept : board_(other.board_), flight_(std::exchange(other.flight_, nullptr)) {}
  led_flight& operator=(led_flight&&) = delete;
  ~led_flight() { give_up(); }

  const pack_flight_ptr& flight() const noexcept { return flight_; }
  void give_up() noexcept;

 private:
  pack_flights* board_;
  pack_flight_ptr flight_;  // null once given up or moved from
};

}  // namespace tankard::proxy::refresh
