#include "proxy/app/exposure.hpp"

#include <algorithm>

#include "proxy/admin/guard.hpp"

namespace tankard::proxy::app {

std::optional<std::string> credential_exposure(std::string_view address, const config::config& c) {
  if (admin::is_loopback(address) || address.starts_with("unix:")) return std::nullopt;
  if (!c.front.trusted_proxies.empty()) return std::nullopt;
  auto const shown = std::ranges::find_if(
      c.upstreams, [](const config::upstream& u) { return u.mode != config::auth_mode::anonymous; });
  if (shown == c.upstreams.end()) return std::nullopt;
  return "clients send their credentials for " + shown->name + " in plain HTTP to " + std::string{address} +
         ", where anybody on the way can read them; set `tls.listen` with a certificate and `listen = \"none\"`, or "
         "bind `listen` to loopback or a Unix socket, or name the proxies in front that speak TLS in `trusted_proxies`";
}

}  // namespace tankard::proxy::app
