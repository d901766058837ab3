#include "proxy/handlers/relay_stream.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t piece = 128u << 10;

}  // namespace

awaitable<relayed> relay_stream(http::exchange& x, upstream::call& call, const upstream::response_head& head,
                                http::fields headers, onlooker* watching) {
  auto const started = co_await x.start(head.status, head.reason_phrase, std::move(headers), head.content_length);
  if (!started) co_return relayed{relay_end::client_gone, std::nullopt};
  std::string buffer(piece, '\0');
  for (;;) {
    auto const n = co_await call.read(asio::buffer(buffer));
    if (!n) {
      x.abort();
      co_return relayed{relay_end::upstream_broke, n.error()};
    }
    if (*n == 0) break;
    if (watching != nullptr) co_await watching->see(std::string_view(buffer).substr(0, *n));
    auto const written = co_await x.write(asio::buffer(buffer.data(), *n));
    if (!written) co_return relayed{relay_end::client_gone, std::nullopt};
  }
  auto const ended = co_await x.finish();
  co_return relayed{ended ? relay_end::whole : relay_end::client_gone, std::nullopt};
}

}  // namespace tankard::proxy::handlers
