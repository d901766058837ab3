#pragma once
// The socket of one client with its input buffer and time limits: bytes in, bytes out, and the ways to end it.
//
// Life: set up (PROXY header, TLS) -> idle (waits for the first byte of a request) <-> busy (a request is read and
// answered) -> closed.
// Under TLS a proper end is close_notify (RFC 8446, 6.1). It is sent behind whole answers only: one that breaks off
// ends with the bare end of the connection, or a reset, which no client can take for an end.
// Owned by its session; others hold weak_ptrs and post to executor(). Not thread-safe.

#include <array>
#include <boost/beast/core/flat_buffer.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "proxy/http/server.hpp"
#include "proxy/net/deadline.hpp"
#include "proxy/net/stream.hpp"

namespace tankard::proxy::http {

struct listener;
struct service;

/// What is sent in one go: for a chunk its header, its data and its CRLF. Empty buffers are skipped.
using gather = std::array<asio::const_buffer, 3>;
inline bool is_empty(const gather& buffers) noexcept {
  return buffers[0].size() + buffers[1].size() + buffers[2].size() == 0;
}

class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(net::stream_socket socket, std::shared_ptr<service> shared, std::shared_ptr<const listener> from);

  asio::any_io_executor executor() { return stream_.get_executor(); }
  boost::beast::flat_buffer& input() noexcept { return input_; }
  const std::string& peer() const noexcept { return peer_; }
  const std::optional<unsigned>& local_user() const noexcept { return local_user_; }
  /// A PROXY header named this address. What headers of requests say of the client is his own word from then on.
  void speak_for(std::string address) {
    peer_ = std::move(address);
    spoken_for_ = true;
  }
  bool is_spoken_for() const noexcept { return spoken_for_; }
  const listener& from() const noexcept { return *from_; }
  service& shared() const noexcept { return *shared_; }
  bool is_tls() const noexcept { return stream_.tls() != nullptr; }
  const std::optional<client_certificate>& certificate() const noexcept { return certificate_; }
  long verify_result() noexcept;  ///< of the client's certificate: X509_V_OK also where there is none

  /// Shakes hands; input() is the beginning of it. Everything is TLS from then on. The limit is the caller's.
  awaitable<error_code> start_tls(std::shared_ptr<asio::ssl::context> context);
  /// Clients show certificates, and this one's has ended since, or others vouch for clients now: the answer under way
  /// is the last.
  bool is_outdated() const;
  /// A drain may close it: nothing was asked yet.
  void set_idle(bool on) noexcept { idle_ = on; }

  /// Waits until input() is not empty, as an idle connection that a drain may close.
  awaitable<error_code> wait_for_request();
  /// Appends to input() what the client sends next, at most `most` bytes. The limit is armed by the caller.
  /// Errors: eof, timed_out where the read limit passed.
  awaitable<error_code> read_more(std::size_t most);
  void arm_read(std::chrono::steady_clock::duration limit) { read_limit_.arm(limit); }
  void disarm_read() noexcept { read_limit_.disarm(); }

  /// Sends what goes out without waiting, and takes it off `buffers`: all of most answers, under TLS nothing.
  error_code write_at_once(gather& buffers, bool more_follows) noexcept;
  /// Sends everything; the write limit is armed anew for each part that the client takes. timed_out where it passed.
  /// `more_follows` lets the kernel hold the bytes back for a moment, to go out together with the next ones.
  awaitable<error_code> write_all(gather buffers, bool more_follows);

  /// The same with a part of a file, copied by the kernel. REQUIRES: not TLS. Error io_error where the file ends
  /// before. TCP holds partial segments back until end_of_files(): without it each acknowledgment that comes in the
  /// middle lets a rest of a few bytes go as a segment of its own, as MSG_MORE is good for one call only.
  awaitable<error_code> write_file(int fd, std::uint64_t offset, std::uint64_t size);
  void end_of_files() noexcept { hold_partial_segments(false); }

  /// Ends the sending direction properly, and closes.
  awaitable<void> close_politely();
  /// Ends the sending direction properly and skips input until the client has closed too, for a short time: it gets to
  /// read the answer, which a close with unread input would replace by a reset. Then closes.
  awaitable<void> close_gently();
  void close() noexcept { stream_.close(); }
  /// Resets the connection: nothing that was sent looks like a proper end. (A Unix socket has no reset: there an
  /// HTTP/1.0 answer without a length ends as a whole one does, and only git's own framing tells them apart.)
  void reset() noexcept;
  /// Ends the sending direction, without a proper end of TLS, and every operation under way.
  void break_off() noexcept;

  /// The client has closed its end, or the connection broke; also where there is input yet to be read.
  bool peer_closed() noexcept;
  /// Something has come that nobody has read; under TLS that is never known.
  bool has_unread() noexcept;
  /// Ends every operation under way with operation_aborted; the connection stays.
  void cancel() noexcept {
    error_code ignored;  // there may be nothing to cancel
    stream_.socket().cancel(ignored);
  }

  void close_if_idle() noexcept;
  void close_if_idle_and_outdated();
  /// At once; what was under way does not look whole.
  void cut() noexcept;
  bool draining() const noexcept;  ///< the server ends: no further request is begun

 private:
  void on_read_expiry() noexcept;
  error_code take_in(error_code ec, std::size_t bytes);
  awaitable<void> say_end();
  void hold_partial_segments(bool hold) noexcept;
  awaitable<error_code> wait_for_room();
  awaitable<boost::system::result<std::size_t>> write_some(const gather& buffers, bool more_follows);

  net::stream stream_;
  boost::beast::flat_buffer input_;
  const std::shared_ptr<service> shared_;
  const std::shared_ptr<const listener> from_;
  const server_limits& limits_;
  net::deadline read_limit_;
  net::deadline write_limit_;
  std::string peer_ = "unknown";
  std::optional<unsigned> local_user_;
  std::optional<client_certificate> certificate_;
  std::shared_ptr<asio::ssl::context> asked_by_;  // set where the client was asked for a certificate
  bool spoken_for_ = false;
  bool idle_ = false;
  bool ended_ = false;   // all was sent, with a proper end
  bool broken_ = false;  // what was sent has no proper end
  bool writing_ = false;
  bool holding_ = false;  // partial segments
};

}  // namespace tankard::proxy::http
