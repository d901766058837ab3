#pragma once
// The admin listener's answers (DESIGN 3 and 9):
//   GET /            status page            GET /metrics                    Prometheus text format
//   GET /healthz     JSON, always 200       GET /api/v1/upstreams[/<name>]  JSON
//   GET /readyz      200 or 503             PUT /api/v1/upstreams/<name>    {"enabled": bool}, needs the token
//   DELETE /api/v1/repositories/<upstream>/<path>    purges one repository, needs the token
// On a Unix socket no Host is wrong, and root and tankard's own user need no token: the kernel says who they are.
// HEAD works like GET. Errors are JSON: {"error": "..."}.
// Knows nothing of the application but what `sources` gives. Thread-safe where they are.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admin/view.hpp"
#include "proxy/config/config.hpp"
#include "proxy/http/exchange.hpp"

namespace tankard::proxy::admin {

enum class purge_result : std::uint8_t {
  purged,
  not_known,    ///< nothing was kept of it
  no_upstream,  ///< of that name
  own_tables,   ///< auth.scope = "user": what single users were shown is not found by the repository's name
};

/// What is asked of the application. All are set.
struct sources {
  std::function<view()> look;                                    ///< cheap, does not block
  std::function<bool()> ready;                                   ///< the cache index is loaded, and no drain has begun
  std::function<awaitable<std::string>()> metrics;               ///< runs the collection where blocking is allowed
  std::function<bool(const std::string& name, bool on)> enable;  ///< false: no upstream of that name
  /// Forgets everything of a repository and begins a new life of it.
  std::function<awaitable<purge_result>(std::string upstream, std::string path)> purge;
};

struct options {
  std::string token;               ///< of changes; empty = no change is allowed
  config::endpoint listen;         ///< as configured
  std::vector<std::string> hosts;  ///< further names that Host may have
};

class admin_service {
 public:
  admin_service(options o, sources s);

  /// Answers one request. Exceptions of sources reach the caller.
  awaitable<void> handle(http::exchange& x) const;

 private:
  struct route;
  static const route routes[];
  awaitable<void> page(http::exchange& x, std::string arg) const;
  awaitable<void> health(http::exchange& x, std::string arg) const;
  awaitable<void> ready(http::exchange& x, std::string arg) const;
  awaitable<void> metrics(http::exchange& x, std::string arg) const;
  awaitable<void> upstreams(http::exchange& x, std::string arg) const;
  awaitable<void> upstream(http::exchange& x, std::string name) const;
  awaitable<void> change_upstream(http::exchange& x, std::string name) const;
  awaitable<void> purge_repository(http::exchange& x, std::string name_and_path) const;
  awaitable<bool> may_change(http::exchange& x) const;

  options options_;
  sources sources_;
};

}  // namespace tankard::proxy::admin
