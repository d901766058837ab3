#include "proxy/handlers/local_pack.hpp"

#include <boost/asio/this_coro.hpp>

#include "cache/io/subprocess.hpp"
#include "cache/store/store_ingest.hpp"
#include "protocol/fetch_response.hpp"
#include "protocol/sideband.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t piece = 128u << 10;
constexpr auto exit_limit = std::chrono::seconds(10);  // from the end of its output to its exit

/// Finds the place behind the packfile header and puts the note there; everything else passes unread.
class note_injector {
 public:
  explicit note_injector(std::string note) : note_(std::move(note)) {}

  /// What is to be sent for these bytes.
  std::string_view pass(std::string_view in) {
    if (note_.empty()) return in;
    std::size_t at = 0;
    while (at < in.size()) {
      auto const event = reader_.next(in.substr(at));
      if (!event) break;  // the client will see for itself what is wrong
      at += event->consumed;
      bool const found =
          event->kind == protocol::fetch_event_kind::section && reader_.section() == protocol::fetch_section::packfile;
      if (!found) continue;
      mixed_.assign(in.substr(0, at));
      mixed_ += protocol::progress_pkt(note_);
      mixed_ += in.substr(at);
      note_.clear();
      return mixed_;
    }
    return in;
  }

 private:
  protocol::fetch_response_reader reader_;
  std::string note_;
  std::string mixed_;
};

local_failure failed(std::string cause) { return {reason::store_failed, std::move(cause)}; }

http::fields result_headers() {
  http::fields headers;
  headers.set("Content-Type", http::upload_pack_result_type);
  http::add_no_cache(headers);
  return headers;
}

/// The child's first output, before anything is promised to the client.
awaitable<cache::ingest_result<std::size_t>> feed(cache::subprocess& child, const std::string& body,
                                                  std::string& buffer) {
  auto const fed = co_await child.write_stdin(asio::buffer(body));
  child.close_stdin();
  auto const n = co_await child.read_stdout(asio::buffer(buffer));
  if (n && *n > 0) co_return *n;
  auto const status = co_await child.wait(exit_limit);
  if (fed && n && status.ok()) co_return std::size_t{0};
  co_return "git upload-pack: " + status.text() + ": " + child.stderr_tail();
}

awaitable<void> stream(http::exchange& x, cache::subprocess& child, std::string& buffer, std::size_t first,
                       std::string note) {
  note_injector inject(std::move(note));
  auto const started = co_await x.start(200, "OK", result_headers(), std::nullopt);
  std::size_t n = first;
  bool alive = started.has_value();
  while (alive && n > 0) {
    auto const out = inject.pass(std::string_view(buffer).substr(0, n));
    auto const written = co_await x.write(asio::buffer(out));
    if (!written) break;
    auto const more = co_await child.read_stdout(asio::buffer(buffer));
    alive = more.has_value();
    n = alive ? *more : 0;
  }
  if (n > 0 || !started) {  // the client went away: nothing of the child is needed any more
    x.report().reason = reason::client_gone;
    child.kill();
    co_await child.wait(exit_limit);
    co_return;
  }
  auto const status = co_await child.wait(exit_limit);
  if (alive && status.ok()) {
    co_await x.finish();
    co_return;
  }
  x.report().outcome = outcome::error;
  x.report().reason = reason::store_failed;
  x.report().detail = "git upload-pack: " + status.text() + ": " + child.stderr_tail();
  x.abort();
}

}  // namespace

awaitable<std::optional<local_failure>> serve_local(services& s, http::exchange& x, const cache::repo_store& store,
                                                    const std::string& body, std::string note) {
  auto command = cache::upload_pack_command(store, s.settings.limit.child_memory);
  command.inherit_fd = s.lock_fd;
  auto const ex = co_await asio::this_coro::executor;
  auto const reading = store.begin_reading();  // until the child has ended
  auto spawned = cache::subprocess::spawn(ex, command);
  if (!spawned) co_return failed("cannot start git: " + spawned.error().message());
  auto& child = **spawned;
  std::string buffer(piece, '\0');
  auto const first = co_await feed(child, body, buffer);
  if (!first) co_return failed(first.error());
  x.report().source = "store";
  co_await stream(x, child, buffer, *first, std::move(note));
  co_return std::nullopt;
}

}  // namespace tankard::proxy::handlers
