#pragma once
// The whole process: locks, loads, listens, serves, drains.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/io/dir_lock.hpp"
#include "proxy/config/config.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/asio.hpp"

namespace tankard::proxy::http {
class server;
}

namespace tankard::proxy::app {

struct parts;

class app {
 public:
  app(config::config settings, std::string version);
  ~app();

  /// Serves until SIGTERM or SIGINT. The exit code: 0 after a drain, 1 where it could not start (the log says why).
  /// Call once.
  int run();

 private:
  bool load();
  bool listen(http::server& server, const config::endpoint& at, std::string_view which);
  bool serve();
  void fail(std::string_view what, const std::string& cause) const;
  awaitable<void> until_signal();
  awaitable<void> drain();

  config::config settings_;
  std::string version_;
  log::logger logs_;
  std::optional<cache::dir_lock> lock_;
  std::unique_ptr<parts> parts_;  // made once the lock is held
};

}  // namespace tankard::proxy::app
