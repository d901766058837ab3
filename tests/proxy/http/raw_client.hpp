#pragma once
// A client that can send any bytes: a blocking socket without an opinion on HTTP. Every wait is bounded by 20 s, far
// beyond what any test needs, so that a broken server fails a test instead of hanging it.

#include <openssl/ssl.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace tankard::test {

struct raw_answer {
  bool valid = false;  ///< a whole head was read
  unsigned status = 0;
  std::string head;                            ///< with the status line and the empty line
  std::string body;                            ///< decoded
  bool complete = false;                       ///< the body ended as its framing says
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string header(const std::string& name) const;
};

class raw_client {
 public:
  /// `before_connect` is called when the socket is there and not connected yet.
  explicit raw_client(std::uint16_t port, const char* host = "127.0.0.1", void (*before_connect)() = nullptr);
  explicit raw_client(const std::filesystem::path& unix_socket);
  ~raw_client();
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  bool connected() const noexcept { return fd_ >= 0; }
  /// Shakes hands; everything is TLS from then on. False where it fails.
  bool start_tls(SSL_CTX* context);
  SSL* tls() const noexcept { return tls_; }
  /// The server ended TLS properly: nothing was cut off.
  bool was_ended_properly() const noexcept { return (SSL_get_shutdown(tls_) & SSL_RECEIVED_SHUTDOWN) != 0; }
  bool send(std::string_view bytes);
  void end_sending();  ///< FIN
  void close();
  void reset();  ///< RST
  void shrink_receive_buffer(int bytes);

  /// What has come when `text` is in it, or at the end of the connection.
  std::string read_until(std::string_view text);
  std::string read_exactly(std::size_t bytes);
  std::string read_to_end();
  /// True where the other side has ended its sending direction (FIN or RST), and nothing more came before.
  bool at_end();
  bool was_reset() const noexcept { return was_reset_; }

  /// Reads one answer and leaves what follows it. `to_head`: answers to HEAD have no body.
  raw_answer read_answer(bool to_head = false);

 private:
  void limit_waits();
  bool fill();
  void read_chunks(raw_answer& answer);

  int fd_ = -1;
  SSL* tls_ = nullptr;
  bool was_reset_ = false;
  std::string input_;
};

}  // namespace tankard::test
