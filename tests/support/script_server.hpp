#pragma once
// A server on a loopback port of its own whose every byte the test writes: one thread and one script per connection,
// with blocking reads and writes. A wait of more than ten seconds ends the connection, so that no test hangs.

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace tankard::test {

/// One accepted connection. Used by its script only.
class peer {
 public:
  peer(int fd, std::size_t index, SSL_CTX* tls);
  ~peer();
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;

  std::size_t index() const noexcept { return index_; }  ///< 0 for the first connection of the server
  std::string read_until(std::string_view end);          ///< inclusive; what there was where the peer closed before
  std::string read_head() { return read_until("\r\n\r\n"); }
  std::string read(std::size_t n);
  bool wait_for_close();  ///< discards what comes; true at the end of file or a reset
  void write(std::string_view bytes);
  void close();  ///< properly: with close_notify under TLS
  void cut();    ///< FIN only
  void reset();  ///< RST
  void start_tls(SSL_CTX* tls);
  bool tls_ok() const noexcept { return tls_ok_; }

 private:
  friend class script_server;
  long receive(char* into, std::size_t size);

  int fd_;
  std::size_t index_;
  SSL* ssl_ = nullptr;
  bool tls_ok_ = false;
  std::string unread_;
};

class script_server {
 public:
  using script = std::function<void(peer&)>;
  /// With `tls`, each connection starts with a handshake; a script runs also where that failed.
  explicit script_server(script s, SSL_CTX* tls = nullptr);
  ~script_server();  ///< shuts every connection and joins

  std::uint16_t port() const noexcept { return port_; }
  std::size_t connections() const noexcept { return accepted_; }

 private:
  void accept_loop();

  script script_;
  SSL_CTX* tls_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<std::size_t> accepted_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mu_;
  std::list<int> open_;             // guarded by mu_
  std::list<std::thread> threads_;  // accept thread only, until joined
  std::thread acceptor_;
};

}  // namespace tankard::test
