#pragma once
// Looks at the certificate files every few seconds and when it is told to, and says in the log what came of it.
// run(), look_now() and stop() belong to one event loop, that of the context it was made with.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>

#include "cache/io/blocking_pool.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/asio.hpp"
#include "proxy/net/tls_certificates.hpp"

namespace tankard::proxy::app {

class certificate_watch {
 public:
  /// With an interval of 0 it looks only when told to. `on_change` is told of new certificates in use. All arguments
  /// outlive it.
  certificate_watch(asio::io_context& home, net::tls_certificates& of, cache::blocking_pool& pool,
                    const log::logger& logs, std::chrono::seconds interval, std::function<void()> on_change);

  awaitable<void> run();  ///< until stop()
  void look_now();        ///< loads the files also where they look the same
  void stop();

 private:
  awaitable<void> look(bool forced);
  void tell(const net::tls_certificates::finding& found) const;

  net::tls_certificates& certificates_;
  cache::blocking_pool& pool_;
  const log::logger& logs_;
  std::chrono::steady_clock::duration interval_;
  std::function<void()> on_change_;
  asio::steady_timer timer_;
  bool told_ = false;
  bool stopping_ = false;
};

/// "2027-01-31T23:59:59Z"
std::string iso_time(std::chrono::system_clock::time_point t);

}  // namespace tankard::proxy::app
