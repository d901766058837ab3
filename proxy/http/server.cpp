#include "proxy/http/server.hpp"

#include <algorithm>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "proxy/http/connection.hpp"
#include "proxy/http/session.hpp"
#include "proxy/http/session_places.hpp"
#include "proxy/net/io_runtime.hpp"
#include "proxy/net/task_group.hpp"

namespace tankard::proxy::http {
namespace {

using acceptor_type = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

constexpr std::chrono::milliseconds accept_back_off{100};  // out of descriptors or memory: wait for sessions to end
constexpr std::chrono::seconds cut_interval{1};
constexpr std::size_t max_doors = 4;         // of one socket: each connection wakes all of them that have nothing to do
constexpr std::size_t max_rejections = 256;  // told why at one time; beyond it connections are closed unanswered

constexpr std::string_view too_many = "tankard: too many connections\n";
constexpr std::string_view too_many_tls = "tankard: too many TLS connections\n";

/// Of one session.
struct places {
  place connection;
  place tls;
  place share;
};

/// Where connections come in to one event loop. The doors of several loops share one socket that listens: whichever is
/// free takes the next connection and keeps it. The file goes before the socket is closed: while somebody listens,
/// nobody replaces it.
struct door {
  std::size_t loop;
  acceptor_type acceptor;
  net::socket_file file;
  std::shared_ptr<const listener> kind;
};

}  // namespace

// Sockets and acceptors are owned by the coroutines that use them, which die with their io_context; here they are only
// known, so that nothing touches a socket after its context or from another thread than its own.
struct server::state : std::enable_shared_from_this<state> {
  state(net::io_runtime& r, std::shared_ptr<service> s)
      : runtime(r),
        shared(std::move(s)),
        shares(r.size()),
        sessions([s = shared](std::exception_ptr) { s->failed.fetch_add(1); }) {}

  struct registration;

  std::shared_ptr<door> make_door(std::size_t loop, int family, net::file_descriptor fd, net::socket_file file,
                                  std::shared_ptr<const listener> kind);
  void admit(net::stream_socket socket, const door& from, std::size_t loop);
  void begin_session(const std::shared_ptr<connection>& client, places taken);
  void begin_rejection(const std::shared_ptr<connection>& client, std::string_view sentence);
  void remember(const std::shared_ptr<connection>& client);
  void forget(const connection* client);
  void stop_accepting();
  void for_each_connection(void (*action)(connection&));

  /// False where there is no memory or descriptor for one more connection.
  static awaitable<bool> accept_one(state& self, door& in);
  static awaitable<void> accept_loop(std::shared_ptr<state> self, std::shared_ptr<door> in);
  static awaitable<void> session(std::shared_ptr<state> self, places taken, std::shared_ptr<connection> client);
  static awaitable<void> rejection(std::shared_ptr<state> self, place taken, std::shared_ptr<connection> client,
                                   std::string_view sentence);

  net::io_runtime& runtime;
  std::shared_ptr<service> shared;
  const loop_shares shares;
  const place_count open = make_place_count();
  const place_count open_tls = make_place_count();
  const place_count rejecting = make_place_count();
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> rejected{0}, rejected_tls{0};
  std::mutex mutex;
  std::unordered_map<const connection*, std::weak_ptr<connection>> connections;  // guarded by mutex
  std::vector<std::weak_ptr<door>> doors;                                        // guarded by mutex
  net::task_group sessions;
};

/// Keeps a connection known for as long as the frame that holds this.
struct server::state::registration {
  registration(state& s, const std::shared_ptr<connection>& c) : server(s), client(c.get()) {}
  ~registration() { server.forget(client); }
  registration(const registration&) = delete;
  registration& operator=(const registration&) = delete;
  state& server;
  const connection* client;
};

awaitable<void> server::state::session(std::shared_ptr<state> self, places, std::shared_ptr<connection> client) {
  const registration known(*self, client);
  co_await run_session(client, self->shared);
}

awaitable<void> server::state::rejection(std::shared_ptr<state> self, place, std::shared_ptr<connection> client,
                                         std::string_view sentence) {
  const registration known(*self, client);
  co_await run_rejection(client, sentence);
}

void server::state::remember(const std::shared_ptr<connection>& client) {
  const std::lock_guard lock(mutex);
  connections.insert_or_assign(client.get(), client);
}

void server::state::forget(const connection* client) {
  const std::lock_guard lock(mutex);
  connections.erase(client);
}

void server::state::begin_session(const std::shared_ptr<connection>& client, places taken) {
  accepted.fetch_add(1);
  remember(client);
  sessions.spawn(client->executor(), session(shared_from_this(), std::move(taken), client));
}

void server::state::begin_rejection(const std::shared_ptr<connection>& client, std::string_view sentence) {
  rejected.fetch_add(1);
  auto taken = place::take_below(rejecting, max_rejections);
  if (!taken) return;
  remember(client);
  sessions.spawn(client->executor(), rejection(shared_from_this(), std::move(*taken), client, sentence));
}

std::shared_ptr<door> server::state::make_door(std::size_t loop, int family, net::file_descriptor fd,
                                               net::socket_file file, std::shared_ptr<const listener> kind) {
  const asio::generic::stream_protocol protocol(family, 0);
  acceptor_type acceptor(runtime.context(loop), protocol, fd.get());
  fd.release();
  return std::make_shared<door>(door{loop, std::move(acceptor), std::move(file), std::move(kind)});
}

void server::state::admit(net::stream_socket socket, const door& from, std::size_t loop) {
  const bool tls = static_cast<bool>(from.kind->tls);
  const auto client = std::make_shared<connection>(std::move(socket), shared, from.kind);
  auto taken = place::take_below(open, shared->limits.max_connections);
  if (!taken) return begin_rejection(client, too_many);
  auto taken_tls = tls ? place::take_below(open_tls, shared->limits.max_tls_connections) : std::optional(place());
  if (!taken_tls) {
    rejected_tls.fetch_add(1);
    if (shared->edge.refused)
      shared->edge.refused(client->peer(), "too many TLS connections, `limits.tls_connections`");
    return begin_rejection(client, too_many_tls);
  }
  begin_session(client, {std::move(*taken), std::move(*taken_tls), shares.take(loop)});
}

awaitable<bool> server::state::accept_one(state& self, door& in) {
  try {
    const std::size_t loop = self.shares.choose(in.loop);
    const asio::any_io_executor home = self.runtime.context(loop).get_executor();
    auto [ec, socket] = co_await in.acceptor.async_accept(home, use_nothrow);
    if (!ec) self.admit(std::move(socket), in, loop);
    co_return !ec || ec == asio::error::connection_aborted;
  } catch (const std::exception&) {  // no memory: this connection is lost, the listener is not
    self.shared->failed.fetch_add(1);
    co_return false;
  }
}

awaitable<void> server::state::accept_loop(std::shared_ptr<state> self, std::shared_ptr<door> in) {
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (in->acceptor.is_open()) {
    const bool served = co_await accept_one(*self, *in);
    if (served || !in->acceptor.is_open()) continue;
    pause.expires_after(accept_back_off);
    co_await pause.async_wait(use_nothrow);
  }
}

void server::state::stop_accepting() {
  shared->draining = true;
  const std::lock_guard lock(mutex);
  for (const auto& known : doors) {
    auto in = known.lock();
    if (!in) continue;
    const auto ex = in->acceptor.get_executor();
    asio::post(ex, [in = std::move(in)] {
      in->file.remove();
      error_code ignored;
      in->acceptor.close(ignored);
    });
  }
}

void server::state::for_each_connection(void (*action)(connection&)) {
  const std::lock_guard lock(mutex);
  for (const auto& [_, known] : connections) {
    auto client = known.lock();
    if (!client) continue;
    const auto ex = client->executor();
    asio::post(ex, [action, client = std::move(client)] { action(*client); });
  }
}

server::server(net::io_runtime& runtime, server_limits limits, handler handle, reporter report, edge_options edge) {
  auto shared = std::make_shared<service>();
  shared->limits = limits;
  shared->handle = std::move(handle);
  shared->report = std::move(report);
  shared->edge = std::move(edge);
  state_ = std::make_shared<state>(runtime, std::move(shared));
}

server::~server() {
  state_->stop_accepting();
  state_->for_each_connection([](connection& c) { c.cut(); });
}

bool server::listen(net::listening_socket at, tls_source tls) {
  const auto kind = std::make_shared<const listener>(listener{std::move(tls)});
  std::vector<std::shared_ptr<door>> opened;
  for (std::size_t loop = 1; loop < std::min(state_->runtime.size(), max_doors); ++loop)
    opened.push_back(state_->make_door(loop, at.family, net::duplicate(at.fd), {}, kind));
  opened.push_back(state_->make_door(0, at.family, std::move(at.fd), std::move(at.file), kind));
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->shared->draining) return false;
    state_->doors.insert(state_->doors.end(), opened.begin(), opened.end());
  }
  for (auto& in : opened) {
    const auto ex = in->acceptor.get_executor();
    state_->sessions.spawn(ex, state::accept_loop(state_, std::move(in)));
  }
  return true;
}

boost::system::result<asio::ip::tcp::endpoint, std::string> server::listen(const std::string& host,
                                                                           std::uint16_t port) {
  auto socket = net::open_tcp(host, port);
  if (!socket) return socket.error();
  const asio::ip::tcp::endpoint bound(asio::ip::make_address(socket->address), socket->port);
  if (!listen(std::move(*socket))) return std::string("the server is stopping");
  return bound;
}

awaitable<void> server::drain(std::chrono::steady_clock::duration cap) {
  const auto self = state_;
  self->stop_accepting();
  self->for_each_connection([](connection& c) { c.close_if_idle(); });
  bool ended = co_await self->sessions.wait_empty(cap);
  while (!ended) {
    self->for_each_connection([](connection& c) { c.cut(); });
    ended = co_await self->sessions.wait_empty(cut_interval);
  }
}

void server::close_outdated() {
  state_->for_each_connection([](connection& c) { c.close_if_idle_and_outdated(); });
}

server_stats server::stats() const noexcept {
  server_stats now;
  now.open_connections = state_->open->load();
  now.in_flight_requests = state_->shared->in_flight.load();
  now.accepted = state_->accepted.load();
  now.rejected_connections = state_->rejected.load();
  now.open_tls_connections = state_->open_tls->load();
  now.rejected_tls_connections = state_->rejected_tls.load();
  now.failed_sessions = state_->shared->failed.load();
  now.handshake_failures = state_->shared->handshake_failures.load();
  now.bad_proxy_headers = state_->shared->bad_proxy_headers.load();
  return now;
}

}  // namespace tankard::proxy::http
