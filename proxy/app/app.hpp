#pragma once
// The whole process: locks, loads, listens, serves, drains.

#include <boost/asio/signal_set.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/io/dir_lock.hpp"
#include "proxy/app/listeners.hpp"
#include "proxy/config/config.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/asio.hpp"

namespace tankard::proxy::app {

struct parts;

class app {
 public:
  app(config::config settings, std::string version);
  ~app();

  /// Serves until SIGTERM or SIGINT; on SIGHUP what may change while it runs is read anew. The exit code: 0 after a
  /// drain, 1 where it could not start (the log says why). Call once.
  int run();

 private:
  bool load();
  bool listen_admin();
  bool listen_public();
  bool load_certificates();
  bool serve();
  void fail(std::string_view what, const std::string& cause) const;
  awaitable<void> until_signal();
  awaitable<void> heed_hangups();
  awaitable<void> drain();

  config::config settings_;
  std::string version_;
  log::logger logs_;
  std::optional<cache::dir_lock> lock_;
  std::optional<listeners> listeners_;
  std::unique_ptr<parts> parts_;               // made once the lock is held
  std::unique_ptr<asio::signal_set> hangups_;  // stays to the end: without it SIGHUP ends the process
  std::unique_ptr<asio::signal_set> stops_;
};

}  // namespace tankard::proxy::app
