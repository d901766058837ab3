#pragma once
// Who has a place, and on which event loop: what bounds and spreads connections. Thread-safe.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace tankard::proxy::http {

using place_count = std::shared_ptr<std::atomic<std::size_t>>;

inline place_count make_place_count() { return std::make_shared<std::atomic<std::size_t>>(0); }

/// One of a number of places, free again when this goes, also where the io_context is destroyed under its session.
class place {
 public:
  place() = default;  ///< of nothing
  explicit place(place_count used) : used_(std::move(used)) { used_->fetch_add(1); }
  /// One of `most`, if there is one left.
  static std::optional<place> take_below(const place_count& used, std::size_t most) {
    std::size_t now = used->load();
    while (now < most)
      if (used->compare_exchange_weak(now, now + 1)) return place(used, taken{});
    return std::nullopt;
  }
  place(place&&) noexcept = default;
  place& operator=(place&&) = delete;
  ~place() {
    if (used_) used_->fetch_sub(1);
  }

 private:
  struct taken {};
  place(place_count used, taken) noexcept : used_(std::move(used)) {}
  place_count used_;
};

/// How many sessions each event loop has.
class loop_shares {
 public:
  explicit loop_shares(std::size_t loops) : open_(loops) { std::ranges::generate(open_, make_place_count); }

  /// The loop for one more connection that `own` accepts. To hand it to another loop costs a switch of threads, so it
  /// stays, unless another loop has two fewer: then they would stay uneven for as long as the connections last. Asked
  /// before the connection is there, so the first one after a quiet time may go by old numbers.
  std::size_t choose(std::size_t own) const {
    const auto sessions = [](const place_count& n) { return n->load(std::memory_order_relaxed); };
    const auto least = std::ranges::min_element(open_, {}, sessions);
    return sessions(open_[own]) < sessions(*least) + 2 ? own : static_cast<std::size_t>(least - open_.begin());
  }

  place take(std::size_t loop) const { return place(open_[loop]); }

 private:
  std::vector<place_count> open_;
};

}  // namespace tankard::proxy::http
