#include "proxy/handlers/relay_stream.hpp"

#include <algorithm>

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t piece = 128u << 10;

}  // namespace

awaitable<relayed> relay_stream(http::exchange& x, upstream::call& call, const upstream::response_head& head,
                                http::fields headers, std::string_view first,
                                const std::function<void(std::string_view)>& seen) {
  auto const started = co_await x.start(head.status, head.reason_phrase, std::move(headers), head.content_length);
  if (!started) co_return relayed{relay_end::client_gone, std::nullopt};
  std::string buffer(first);
  std::size_t have = first.size();
  buffer.resize(std::max(piece, first.size()));
  for (;;) {
    if (have > 0) {
      if (seen) seen(std::string_view(buffer).substr(0, have));
      auto const written = co_await x.write(asio::buffer(buffer.data(), have));
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
