#pragma once
// A time limit on one thing at a time, by progress: while armed and not touched, it calls back once when the time is
// over. Unlike tcp_stream's time-outs it may watch a read and a write at once, and it never fires while disarmed. Not
// thread-safe: lives on one executor.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

namespace tankard::proxy::net {

class deadline {
 public:
  /// `expire` is called on the executor (typically closes the socket). It must stay callable until this is destroyed.
  deadline(boost::asio::any_io_executor ex, std::function<void()> expire);
  ~deadline();  ///< disarms; a callback under way does nothing

  void arm(std::chrono::steady_clock::duration limit);  ///< (re)starts; cheap enough to call for every read and write
  void disarm() noexcept;
  bool expired() const noexcept;  ///< it has fired since the last arm()

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace tankard::proxy::net
