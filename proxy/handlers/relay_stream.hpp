#pragma once
// The answer of an upstream on its way to a client, piece by piece, with bounded memory and back-pressure.

#include <functional>
#include <optional>
#include <string_view>

#include "proxy/http/exchange.hpp"
#include "proxy/upstream/client.hpp"

namespace tankard::proxy::handlers {

enum class relay_end : std::uint8_t { whole, client_gone, upstream_broke };

struct relayed {
  relay_end end = relay_end::whole;
  std::optional<upstream::failure> broken;
};

/// Sends head and body, whose beginning was read already (`first`); ends properly only if the upstream did, breaks the
/// connection otherwise. `seen`, where there is one, is shown every piece before the client gets it; it must not throw.
awaitable<relayed> relay_stream(http::exchange& x, upstream::call& call, const upstream::response_head& head,
                                http::fields headers, std::string_view first = {},
                                const std::function<void(std::string_view)>& seen = {});

}  // namespace tankard::proxy::handlers
