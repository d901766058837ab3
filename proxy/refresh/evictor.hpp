#pragma once
// Keeps the cache directory within its byte account: after every change of a store, every pack that was taken, and once
// a minute, what was longest unused goes until all fits; trash that nobody reads any more is deleted; times of last use
// are written.

#include <atomic>

#include "proxy/refresh/alarm.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

class evictor {
 public:
  explicit evictor(services& s) : s_(s) {}

  awaitable<void> run();  ///< until stop()
  void wake() { alarm_.ring(); }
  void stop();  ///< takes effect when the pass under way ends

 private:
  void tell(bool fits);
  services& s_;
  alarm alarm_;
  std::atomic<bool> stopping_{false};
  bool over_ = false;  ///< was told
};

}  // namespace tankard::proxy::refresh
