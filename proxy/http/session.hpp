#pragma once
// One client connection from accept to close: head -> exchange -> handler -> report -> next head.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "proxy/http/server.hpp"

namespace tankard::proxy::http {

class connection;

/// What the connections of one listener have in common.
struct listener {
  tls_source tls = {};  ///< empty: plain
};

/// What all sessions of one server share. The counters are thread-safe, the rest does not change.
struct service {
  server_limits limits;
  handler handle;
  reporter report;
  edge_options edge;
  std::atomic<bool> draining{false};  // set before idle connections are closed, so that none becomes idle after that
  std::atomic<std::size_t> in_flight{0};
  std::atomic<std::uint64_t> failed{0};  // sessions that ended by an exception
  std::atomic<std::uint64_t> handshake_failures{0};
  std::atomic<std::uint64_t> bad_proxy_headers{0};
};

/// Serves `client` until it ends or is ended. Runs on the client's executor; shares what it uses.
awaitable<void> run_session(std::shared_ptr<connection> client, std::shared_ptr<service> shared);

/// Tells a client why it is not served, and closes. `sentence` has static storage.
awaitable<void> run_rejection(std::shared_ptr<connection> client, std::string_view sentence);

}  // namespace tankard::proxy::http
