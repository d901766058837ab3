#include "proxy/app/listeners.hpp"

#include <utility>

#include "proxy/admin/guard.hpp"
#include "proxy/app/exposure.hpp"

namespace tankard::proxy::app {

listeners::listeners(const config::config& c, const log::logger& logs)
    : settings_(c), logs_(logs), inherited_(net::inherited_sockets::from_environment()) {
  for (auto const* at : {&c.listen, &c.secure.listen, &c.admin_listener.listen}) {
    if (at->type == config::endpoint::kind::systemd && !at->name.empty()) inherited_.reserve(at->name);
  }
}

boost::system::result<std::vector<net::listening_socket>, std::string> listeners::open(const config::endpoint& at,
                                                                                       unsigned local_mode) {
  return net::open_listening(at, local_mode, inherited_);
}

void listeners::begin(http::server& server, std::vector<net::listening_socket> sockets, std::string_view name,
                      const http::tls_source& tls) const {
  for (auto& socket : sockets) {
    auto const address = socket.address;
    auto const port = std::uint64_t{socket.port};
    bool const local = socket.is_local();
    if (!server.listen(std::move(socket), tls)) continue;
    if (local) {
      logs_.log_event(log::level::info, "listening", {{"listener", name}, {"address", address}});
    } else {
      logs_.log_event(log::level::info, "listening", {{"listener", name}, {"address", address}, {"port", port}});
    }
  }
}

void listeners::warn_of_open_admin(const std::vector<net::listening_socket>& sockets) const {
  for (auto const& s : sockets) {
    auto const notice = admin::exposure_notice(s.address, s.is_for_every_user());
    if (notice) logs_.log_event(log::level::warning, "admin-exposed", {{"cause", *notice}});
  }
}

void listeners::warn_of_open_credentials(const std::vector<net::listening_socket>& sockets) const {
  for (auto const& s : sockets) {
    auto const cause = credential_exposure(s.address, settings_);
    if (!cause) continue;
    logs_.log_event(log::level::warning, "credentials-exposed", {{"address", s.address}, {"cause", *cause}});
  }
}

void listeners::warn_of_unclaimed() const {
  for (auto const& name : inherited_.left()) {
    logs_.log_event(log::level::warning, "socket-unclaimed",
                    {{"name", name}, {"cause", "systemd passed this socket, but no `listen` setting names it"}});
  }
}

}  // namespace tankard::proxy::app
