#include "raw_client.hpp"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace tankard::test {
namespace {

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return text;
}

void parse_head(raw_answer& answer) {
  answer.valid = answer.head.starts_with("HTTP/1.");
  answer.status = static_cast<unsigned>(std::atoi(answer.head.c_str() + 9));
  std::size_t at = answer.head.find("\r\n") + 2;
  while (at < answer.head.size()) {
    const std::size_t end = answer.head.find("\r\n", at);
    const std::string line = answer.head.substr(at, end - at);
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) answer.headers[lower(line.substr(0, colon))] = line.substr(colon + 2);
    at = end + 2;
  }
}

}  // namespace

std::string raw_answer::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

raw_client::raw_client(std::uint16_t port, const char* host, void (*before_connect)()) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host, std::to_string(port).c_str(), &hints, &found) != 0) return;
  fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  limit_waits();
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (before_connect != nullptr) before_connect();
  const int connected = ::connect(fd_, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  if (connected != 0) close();
}

raw_client::raw_client(const std::filesystem::path& unix_socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  unix_socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  limit_waits();
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
}

raw_client::~raw_client() { close(); }

void raw_client::limit_waits() {
  const timeval limit{20, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool raw_client::start_tls(SSL_CTX* context) {
  tls_ = SSL_new(context);
  SSL_set_fd(tls_, fd_);
  return SSL_connect(tls_) == 1;
}

bool raw_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = tls_ ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                              : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void raw_client::end_sending() { ::shutdown(fd_, SHUT_WR); }

void raw_client::close() {
  SSL_free(tls_);
  tls_ = nullptr;
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void raw_client::reset() {
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void raw_client::shrink_receive_buffer(int bytes) { ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

bool raw_client::fill() {
  char part[16384];
  const ssize_t got = tls_ ? SSL_read(tls_, part, sizeof part) : ::recv(fd_, part, sizeof part, 0);
  if (got < 0) was_reset_ = errno == ECONNRESET || errno == EPIPE;
  if (got <= 0) return false;
  input_.append(part, static_cast<std::size_t>(got));
  return true;
}

std::string raw_client::read_until(std::string_view text) {
  std::size_t at = input_.find(text);
  while (at == std::string::npos && fill()) at = input_.find(text);
  const std::size_t size = at == std::string::npos ? input_.size() : at + text.size();
  std::string out = input_.substr(0, size);
  input_.erase(0, size);
  return out;
}

std::string raw_client::read_exactly(std::size_t bytes) {
  while (input_.size() < bytes && fill()) {
  }
  std::string out = input_.substr(0, bytes);
  input_.erase(0, out.size());
  return out;
}

std::string raw_client::read_to_end() {
  while (fill()) {
  }
  return std::exchange(input_, {});
}

bool raw_client::at_end() {
  if (!input_.empty()) return false;
  char byte = 0;
  const ssize_t got = tls_ ? SSL_read(tls_, &byte, 1) : ::recv(fd_, &byte, 1, 0);
  if (tls_ && got <= 0) return true;
  if (got > 0) input_ += byte;
  if (got < 0) was_reset_ = errno == ECONNRESET;
  return got == 0 || was_reset_;
}

void raw_client::read_chunks(raw_answer& answer) {
  for (;;) {
    const std::string line = read_until("\r\n");
    if (!line.ends_with("\r\n")) return;
    const std::size_t size = std::strtoul(line.c_str(), nullptr, 16);
    const std::string data = read_exactly(size + 2);
    answer.body += data.substr(0, size);
    if (!data.ends_with("\r\n") || data.size() != size + 2) return;
    if (size == 0) {
      answer.complete = true;
      return;
    }
  }
}

raw_answer raw_client::read_answer(bool to_head) {
  raw_answer answer;
  answer.head = read_until("\r\n\r\n");
  if (!answer.head.ends_with("\r\n\r\n")) return answer;
  parse_head(answer);
  if (to_head || answer.status == 204 || answer.status == 304 || answer.status < 200) {
    answer.complete = true;
  } else if (lower(answer.header("transfer-encoding")) == "chunked") {
    read_chunks(answer);
  } else if (!answer.header("content-length").empty()) {
    const std::size_t size = std::strtoull(answer.header("content-length").c_str(), nullptr, 10);
    answer.body = read_exactly(size);
    answer.complete = answer.body.size() == size;
  } else {
    answer.body = read_to_end();
    answer.complete = !was_reset_;
  }
  return answer;
}

}  // namespace tankard::test
