#include "proxy/net/listening_socket.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <system_error>

#include "proxy/net/local_socket.hpp"

namespace tankard::proxy::net {
namespace {

using opened = boost::system::result<listening_socket, std::string>;
using all_opened = boost::system::result<std::vector<listening_socket>, std::string>;

constexpr std::string_view local_prefix = "unix:";

std::string why() { return std::error_code{errno, std::generic_category()}.message(); }

int option_of(int fd, int option) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

std::string local_path(const sockaddr_storage& storage, socklen_t size) {
  constexpr auto before = offsetof(sockaddr_un, sun_path);
  if (size <= before) return "unix:";
  auto const* const path = reinterpret_cast<const sockaddr_un&>(storage).sun_path;
  if (path[0] == '\0') return "unix:@" + std::string(path + 1, size - before - 1);  // abstract, of systemd
  return "unix:" + std::string(path, ::strnlen(path, size - before));
}

/// Fills in what the kernel knows of the socket.
opened described(file_descriptor fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return why();
  listening_socket out;
  out.family = storage.ss_family;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (out.family == AF_INET) {
    auto const& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    out.address = ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    out.port = ntohs(v4.sin_port);
  } else if (out.family == AF_INET6) {
    auto const& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    out.address = ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    out.port = ntohs(v6.sin6_port);
  } else if (out.family == AF_UNIX) {
    out.address = local_path(storage, size);
  } else {
    return "a socket that is neither TCP nor Unix";
  }
  out.fd = std::move(fd);
  return out;
}

opened adopt(file_descriptor fd) {
  bool const listens = option_of(fd.get(), SO_ACCEPTCONN) == 1 && option_of(fd.get(), SO_TYPE) == SOCK_STREAM;
  if (!listens) return "an inherited descriptor is no stream socket that listens (`Accept=no`, `ListenStream=`)";
  return described(std::move(fd));
}

opened open_local(const std::string& path, mode_t mode) {
  auto made = listen_locally(path, mode);
  if (!made) return made.error();
  auto socket = described(std::move(made->first));
  if (socket) socket->file = std::move(made->second);
  return socket;
}

all_opened take_inherited(const std::string& name, inherited_sockets& inherited) {
  std::vector<listening_socket> out;
  for (auto& fd : inherited.take(name)) {
    auto socket = adopt(std::move(fd));
    if (!socket) return socket.error();
    out.push_back(std::move(*socket));
  }
  if (out.empty()) return "no such socket was passed to this process (LISTEN_FDS, LISTEN_FDNAMES)";
  return out;
}

all_opened only(opened socket) {
  if (!socket) return socket.error();
  std::vector<listening_socket> out;
  out.push_back(std::move(*socket));
  return out;
}

all_opened open_any(const endpoint& at, mode_t local_mode, inherited_sockets& inherited) {
  switch (at.type) {
    case endpoint::kind::tcp:
      return only(open_tcp(at.host, at.port));
    case endpoint::kind::local:
      return only(open_local(at.name, local_mode));
    case endpoint::kind::systemd:
      return take_inherited(at.name, inherited);
    case endpoint::kind::none:
      break;
  }
  return std::vector<listening_socket>{};
}

}  // namespace

bool listening_socket::is_local() const noexcept { return family == AF_UNIX; }

bool listening_socket::is_for_every_user() const {
  if (!is_local()) return false;
  auto const path = address.substr(local_prefix.size());
  struct stat st{};
  bool const known = path.starts_with('/') && ::stat(path.c_str(), &st) == 0;
  return !known || (st.st_mode & S_IWOTH) != 0;
}

opened open_tcp(std::string host, std::uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int const failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0) return std::string(::gai_strerror(failed));
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> const owned(found, &::freeaddrinfo);
  file_descriptor fd(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int const on = 1;
  bool const listens = fd.is_open() && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                       ::bind(fd.get(), found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd.get(), SOMAXCONN) == 0;
  if (!listens) return why();
  return described(std::move(fd));
}

all_opened open_listening(const endpoint& at, mode_t local_mode, inherited_sockets& inherited) {
  auto sockets = open_any(at, local_mode, inherited);
  if (!sockets) return to_string(at) + ": " + sockets.error();
  return sockets;
}

std::string to_string(const endpoint& at) {
  bool const v6 = at.host.find(':') != std::string::npos;
  switch (at.type) {
    case endpoint::kind::tcp:
      return (v6 ? "[" + at.host + "]" : at.host) + ":" + std::to_string(at.port);
    case endpoint::kind::local:
      return "unix:" + at.name;
    case endpoint::kind::systemd:
      return at.name.empty() ? "systemd" : "systemd:" + at.name;
    case endpoint::kind::none:
      break;
  }
  return "none";
}

}  // namespace tankard::proxy::net
