#include "proxy/handlers/send_spool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "cache/packs/sealed_response.hpp"
#include "protocol/sideband.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t piece = 128u << 10;
constexpr std::uint64_t yield_each = 1u << 20;
constexpr std::chrono::seconds tick{1};   // between looks at the progress while the producer is silent
constexpr unsigned keep_alive_ticks = 5;  // git's own uploadpack.keepAlive
constexpr std::string_view flush_pkt = "0000";
/// A pkt-line of band 1 without data.
constexpr std::string_view keep_alive_pkt{"0005\x01", 5};

/// One client's way through a spool.
struct follower_state {
  http::exchange& x;
  cache::spool_follower& from;
  const refresh::pack_flight& flight;
  sending what;
  cache::response_head head{what.form};
  std::uint64_t told = 0;  ///< of the progress
  std::string last{};      ///< bytes that were sent, four at most
  unsigned silent_ticks = 0;

  bool is_too_late(std::chrono::steady_clock::time_point begun) const {
    return !x.started() && what.patience && std::chrono::steady_clock::now() - begun >= *what.patience;
  }
  /// Where a pkt-line of our own may go in: behind the head, at the end of an append, and not
  /// behind the flush-pkt that ends it all. (Pack data that looks like one only puts it off.)
  bool at_boundary() const { return head.ended() && from.position() == from.followed()->size() && last != flush_pkt; }
};

awaitable<bool> write(http::exchange& x, std::string_view bytes) {
  if (bytes.empty()) co_return true;
  auto const written = co_await x.write(asio::buffer(bytes.data(), bytes.size()));
  co_return written.has_value();
}

/// What there is to tell on band 2.
std::string own_lines(follower_state& f) {
  std::string lines;
  if (!f.what.note.empty()) lines = protocol::progress_pkt(f.what.form, std::exchange(f.what.note, {}));
  auto const news = f.what.progress ? f.flight.progress.since(f.told) : std::string();
  if (!news.empty()) protocol::append_band(lines, f.what.form, protocol::band::progress, news);
  return lines;
}

/// `at_boundary`: before these bytes.
awaitable<bool> write_piece(follower_state& f, std::string_view bytes, bool at_boundary) {
  auto const ahead = f.head.ended() ? 0 : f.head.take(bytes);
  bool const here = at_boundary || (ahead > 0 && f.head.ended());
  auto const lines = here ? own_lines(f) : std::string();
  bool well = co_await write(f.x, bytes.substr(0, ahead));
  if (well) well = co_await write(f.x, lines);
  if (well) well = co_await write(f.x, bytes.substr(ahead));
  f.last.append(bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 4)));
  f.last.erase(0, f.last.size() - std::min<std::size_t>(f.last.size(), 4));
  co_return well;
}

/// The producer is silent.
awaitable<bool> write_sign_of_life(follower_state& f) {
  if (!f.at_boundary()) co_return true;
  auto const lines = own_lines(f);
  f.silent_ticks = lines.empty() ? f.silent_ticks + 1 : 0;
  bool const overdue = f.silent_ticks >= keep_alive_ticks;
  if (overdue) f.silent_ticks = 0;
  co_return co_await write(f.x, overdue ? keep_alive_pkt : std::string_view(lines));
}

awaitable<void> break_off(follower_state& f) {
  if (f.at_boundary()) {
    std::string line;
    auto const cause = f.from.followed()->cause();
    protocol::append_band(
        line, f.what.form, protocol::band::error,
        fmt::format("tankard: {}\n", cause.empty() ? "the cache has no room, and this client is too slow" : cause));
    co_await write(f.x, line);
  }
  f.x.abort();
}

}  // namespace

awaitable<bool> may_begin(const sending& what) {
  if (!what.may_have_it) co_return true;
  co_return co_await what.may_have_it();
}

awaitable<sent_end> send_spool(http::exchange& x, cache::spool_follower& from, const refresh::pack_flight& flight,
                               sending what) {
  follower_state f{x, from, flight, std::move(what)};
  std::string buffer(piece, '\0');
  auto const ex = co_await asio::this_coro::executor;
  auto const begun = std::chrono::steady_clock::now();
  while (true) {
    bool const boundary = f.at_boundary();
    auto const got = co_await from.read(asio::buffer(buffer), tick);
    if (got && got->bytes == 0 && !got->at_end && f.is_too_late(begun)) co_return sent_end::too_late;
    if (!got && !x.started()) co_return sent_end::not_begun;
    if (!got) {
      co_await break_off(f);
      co_return sent_end::broke;
    }
    if (!x.started() && (got->bytes > 0 || got->at_end)) {
      bool const allowed = co_await may_begin(f.what);
      if (!allowed) co_return sent_end::no_longer_shown;
      auto const started = co_await x.start(200, "OK", std::move(f.what.headers), std::nullopt);
      if (!started) co_return sent_end::client_gone;
    }
    if (got->at_end) break;
    bool well = false;
    if (got->bytes > 0) {
      well = co_await write_piece(f, std::string_view(buffer).substr(0, got->bytes), boundary);
    } else {
      well = co_await write_sign_of_life(f);
    }
    if (!well) co_return sent_end::client_gone;
    if (from.position() / yield_each != (from.position() - got->bytes) / yield_each) {
      co_await asio::post(ex, use_nothrow);  // one far behind would keep the loop from all others
    }
  }
  auto const finished = co_await x.finish();
  co_return finished ? sent_end::whole : sent_end::client_gone;
}

}  // namespace tankard::proxy::handlers
