#include <array>
#include <system_error>

#include "proxy/config/draft.hpp"
#include "proxy/net/address_ranges.hpp"
#include "proxy/net/local_socket.hpp"

namespace tankard::proxy::config {
namespace {

using kind = endpoint::kind;

struct named_endpoint {
  const char* key;
  const endpoint& at;
};

bool collide(const endpoint& a, const endpoint& b) {
  if (a.type != b.type || a.type == kind::none) return false;
  if (a.type != kind::tcp) return a.name == b.name;
  return a.port != 0 && a.port == b.port && a.host == b.host;
}

void check_addresses(draft& d) {
  std::array<named_endpoint, 3> const all{{{"listen", d.value.listen},
                                           {"tls.listen", d.value.secure.listen},
                                           {"admin.listen", d.value.admin_listener.listen}}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto const& [key, at] = all[i];
    if (at.type == kind::local && at.name.size() > net::longest_socket_path)
      d.problems.push_back(d.naming(key) + " must be a path of at most " + std::to_string(net::longest_socket_path) +
                           " bytes, is " + ticked(at.name));
    for (std::size_t j = 0; j < i; ++j)
      if (collide(all[j].at, at))
        d.problems.push_back(d.naming(key) + " must differ from `" + all[j].key + "`, both are " +
                             ticked(to_string(at)));
  }
  if (d.value.admin_listener.listen.type == kind::none)
    d.problems.push_back(d.naming("admin.listen") + " must be somewhere, such as 127.0.0.1:8081 or unix:/path");
  if (d.value.listen.type == kind::none && d.value.secure.listen.type == kind::none)
    d.problems.push_back(d.naming("listen") + " must not be none where there is no `tls.listen`");
}

void check_file(draft& d, const char* key, const std::filesystem::path& file) {
  std::error_code ec;
  if (file.empty() || std::filesystem::is_regular_file(file, ec)) return;
  d.problems.push_back(d.naming(key) + " must be a file, but there is none at " + ticked(file.string()));
}

void check_tls(draft& d) {
  auto const& t = d.value.secure;
  bool const on = t.listen.type != kind::none;
  for (auto const& [key, file] : {std::pair{"tls.certificate", &t.certificate}, {"tls.key", &t.key}}) {
    if (on && file->empty()) d.problems.push_back(d.naming(key) + " must be set where `tls.listen` is");
    if (!on && !file->empty()) d.problems.push_back(d.naming(key) + " has no effect without `tls.listen`");
    check_file(d, key, *file);
  }
  bool const asked = t.client_certificates != "off";
  if (asked && t.client_ca.empty())
    d.problems.push_back(d.naming("tls.client_ca") + " must be set where `tls.client_certificates` is " +
                         t.client_certificates);
  if (!asked && !t.client_ca.empty())
    d.problems.push_back(d.naming("tls.client_ca") +
                         " has no effect while `tls.client_certificates` is off; make it optional or required");
  if (asked && !on) d.problems.push_back(d.naming("tls.client_certificates") + " has no effect without `tls.listen`");
  check_file(d, "tls.client_ca", t.client_ca);
}

void check_proxies(draft& d) {
  auto const& f = d.value.front;
  auto const ranges = net::address_ranges::parse(f.trusted_proxies);
  if (!ranges) d.problems.push_back(d.naming("trusted_proxies") + " " + ranges.error());
  if (f.proxy_protocol && f.trusted_proxies.empty())
    d.problems.push_back(d.naming("proxy_protocol") + " needs `trusted_proxies`: from others nothing is accepted then");
}

}  // namespace

void check_listeners(draft& d) {
  check_addresses(d);
  check_tls(d);
  check_proxies(d);
}

}  // namespace tankard::proxy::config
