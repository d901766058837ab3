#include "proxy/handlers/relay_stream.hpp"

#include <algorithm>

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t piece = 128u << 10;

upstream::failure no_git(const error_code& why) {
  upstream::failure f;
  f.reason = reason::not_git;
  f.cause = "the answer is not one of git: " + why.message();
  return f;
}

/// What of these bytes the client gets; `room` holds it where something is left out.
protocol::result<std::string_view> passing(on_the_way& what, std::string_view bytes, std::string& room) {
  if (what.seen && !bytes.empty()) what.seen(bytes);
  if (!what.quiet) return bytes;
  room.clear();
  auto const understood = what.quiet->feed(bytes, room);
  if (!understood) return understood.error();
  return std::string_view(room);
}

}  // namespace

awaitable<relayed> relay_stream(http::exchange& x, upstream::call& call, const upstream::response_head& head,
                                http::fields headers, std::string_view first, on_the_way what) {
  auto const length = what.quiet ? std::nullopt : head.content_length;
  auto const started = co_await x.start(head.status, head.reason_phrase, std::move(headers), length);
  if (!started) co_return relayed{relay_end::client_gone, std::nullopt};
  std::string buffer(first);
  std::size_t have = first.size();
  buffer.resize(std::max(piece, first.size()));
  std::string room;
  for (;;) {
    auto const out = passing(what, std::string_view(buffer).substr(0, have), room);
    if (!out) {
      x.abort();
      call.abort();
      co_return relayed{relay_end::upstream_broke, no_git(out.error())};
    }
    if (!out->empty()) {
      auto const written = co_await x.write(asio::buffer(*out));
      if (!written) co_return relayed{relay_end::client_gone, std::nullopt};
    }
    auto const n = co_await call.read(asio::buffer(buffer));
    if (!n) {
      x.abort();
      co_return relayed{relay_end::upstream_broke, n.error()};
    }
    have = *n;
    if (have == 0) break;
  }
  auto const ended = co_await x.finish();
  co_return relayed{ended ? relay_end::whole : relay_end::client_gone, std::nullopt};
}

}  // namespace tankard::proxy::handlers
