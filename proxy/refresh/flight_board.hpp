#pragma once
// Questions under way, so that equal ones are asked once. A caller joins only a flight that was not yet sent, so an
// answer is never older than its question: per question one flight runs and one waits (DESIGN 4). Thread-safe.
//
// Life of a flight: made by join() (waiting, or running where nobody runs) -> mark_sent() -> land() with its value;
// then the waiting one, if any, becomes the running one and land() hands it back to be flown by the same runner.

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cache/io/async_event.hpp"

namespace tankard::proxy::refresh {

template <class Value>
class flight_board {
 public:
  struct flight {
    cache::async_event landed;
    std::shared_ptr<const Value> value;  // written before `landed` is set, read after
    bool sent = false;                   // guarded by the board's mu_
  };
  using flight_ptr = std::shared_ptr<flight>;

  struct ticket {
    flight_ptr seat;
    bool must_fly = false;  ///< the caller starts the runner
    bool joined = false;    ///< somebody else asked the same
  };

  ticket join(const std::string& question) {
    std::lock_guard const lock(mu_);
    auto& slot = slots_[question];
    if (!slot.running) {
      slot.running = std::make_shared<flight>();
      return {slot.running, true, false};
    }
    if (!slot.running->sent) return {slot.running, false, true};
    bool const joined = slot.waiting != nullptr;
    if (!joined) slot.waiting = std::make_shared<flight>();
    return {slot.waiting, false, joined};
  }

  void mark_sent(const flight_ptr& f) {
    std::lock_guard const lock(mu_);
    f->sent = true;
  }

  /// Ends the running flight. Returns the next one for the runner to fly, null where there is none.
  flight_ptr land(const std::string& question, const flight_ptr& f, std::shared_ptr<const Value> value) {
    flight_ptr next;
    {
      std::lock_guard const lock(mu_);
      auto const at = slots_.find(question);
      next = at->second.waiting;
      at->second.waiting = nullptr;
      at->second.running = next;
      if (!next) slots_.erase(at);
    }
    f->value = std::move(value);
    f->landed.set();
    return next;
  }

  std::size_t size() const {
    std::lock_guard const lock(mu_);
    return slots_.size();
  }

 private:
  struct slot {
    flight_ptr running;
    flight_ptr waiting;
  };
  mutable std::mutex mu_;
  std::unordered_map<std::string, slot> slots_;  // guarded by mu_; bounded by the requests in flight
};

}  // namespace tankard::proxy::refresh
