// An answer to fetch for one client, straight from where it comes.

#include "cache/packs/sealed_response.hpp"
#include "protocol/sideband.hpp"
#include "proxy/handlers/fetching.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t piece = 128u << 10;

/// Puts a line behind the head; everything else passes unread.
class note_injector {
 public:
  note_injector(std::string note, const protocol::answer_form& form)
      : form_(form), head_(form), note_(std::move(note)) {}

  /// What is to be sent for these bytes.
  std::string_view pass(std::string_view in) {
    if (note_.empty()) return in;
    auto const ahead = head_.take(in);
    if (!head_.ended()) return in;
    mixed_.assign(in.substr(0, ahead));
    mixed_ += protocol::progress_pkt(form_, std::exchange(note_, {}));
    mixed_ += in.substr(ahead);
    return mixed_;
  }

 private:
  protocol::answer_form form_;
  cache::response_head head_;
  std::string note_;
  std::string mixed_;
};

}  // namespace

awaitable<void> send_alone(fetching& f, pack_source& source, http::fields headers) {
  note_injector inject(note_of(f), form_of(f));
  auto const started = co_await f.x.start(200, "OK", std::move(headers), std::nullopt);
  bool client_there = started.has_value();
  std::string buffer(piece, '\0');
  while (client_there) {
    auto const n = co_await source.read(asio::buffer(buffer));
    if (!n) {
      set_verdict(f.x, {outcome::error, n.error().reason}, f.x.report().source);
      f.x.report().detail = n.error().cause;
      f.x.abort();
      co_return;
    }
    if (*n == 0) {
      co_await f.x.finish();
      co_return;
    }
    auto const out = inject.pass(std::string_view(buffer).substr(0, *n));
    auto const written = co_await f.x.write(asio::buffer(out));
    client_there = written.has_value();
  }
  f.x.report().reason = reason::client_gone;
  co_await source.give_up({reason::client_gone, "the client went away"});
}

}  // namespace tankard::proxy::handlers
