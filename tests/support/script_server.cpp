#include "tests/support/script_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>
#include <utility>

namespace tankard::test {

peer::peer(int fd, std::size_t index, SSL_CTX* tls) : fd_(fd), index_(index) {
  timeval const limit{10, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (tls) start_tls(tls);
}

peer::~peer() { SSL_free(ssl_); }

void peer::start_tls(SSL_CTX* tls) {
  ssl_ = SSL_new(tls);
  SSL_set_fd(ssl_, fd_);
  tls_ok_ = SSL_accept(ssl_) == 1;
}

long peer::receive(char* into, std::size_t size) {
  if (ssl_) return SSL_read(ssl_, into, static_cast<int>(size));
  return ::recv(fd_, into, size, 0);
}

std::string peer::read_until(std::string_view end) {
  std::array<char, 4096> chunk{};
  for (;;) {
    if (auto const at = unread_.find(end); at != std::string::npos) return read(at + end.size());
    auto const n = receive(chunk.data(), chunk.size());
    if (n <= 0) return std::exchange(unread_, {});
    unread_.append(chunk.data(), static_cast<std::size_t>(n));
  }
}

std::string peer::read(std::size_t n) {
  std::array<char, 4096> chunk{};
  while (unread_.size() < n) {
    auto const got = receive(chunk.data(), chunk.size());
    if (got <= 0) return std::exchange(unread_, {});
    unread_.append(chunk.data(), static_cast<std::size_t>(got));
  }
  auto out = unread_.substr(0, n);
  unread_.erase(0, n);
  return out;
}

bool peer::wait_for_close() {
  std::array<char, 4096> chunk{};
  for (;;) {
    errno = 0;
    auto const n = receive(chunk.data(), chunk.size());
    if (n <= 0) return errno != EAGAIN;
  }
}

void peer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    auto const n = ssl_ ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                        : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void peer::close() {
  if (ssl_) SSL_shutdown(ssl_);
  cut();
}

void peer::cut() { ::shutdown(fd_, SHUT_WR); }

void peer::reset() {
  linger const at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  // Closes the connection, but keeps the number ours: script_server closes it once more.
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  ::connect(fd_, &nowhere, sizeof nowhere);
}

script_server::script_server(script s, SSL_CTX* tls) : script_(std::move(s)), tls_(tls) {
  std::signal(SIGPIPE, SIG_IGN);  // SSL_write knows no MSG_NOSIGNAL
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof where;
  auto* const address = reinterpret_cast<sockaddr*>(&where);
  if (::bind(listener_, address, size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, address, &size) != 0) {
    throw std::runtime_error("script_server: no loopback port");
  }
  port_ = ntohs(where.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

script_server::~script_server() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    std::lock_guard const lock(mu_);
    for (int const fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& t : threads_) t.join();
}

void script_server::accept_loop() {
  while (!stopping_) {
    int const fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    {
      std::lock_guard const lock(mu_);
      open_.push_back(fd);
    }
    auto const index = accepted_++;
    threads_.emplace_back([this, fd, index] {
      {
        peer p(fd, index, tls_);
        script_(p);
      }
      std::lock_guard const lock(mu_);
      open_.remove(fd);
      ::close(fd);
    });
  }
}

}  // namespace tankard::test
