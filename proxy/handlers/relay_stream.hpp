#pragma once
// The answer of an upstream on its way to a client, piece by piece, with bounded memory and back-pressure.

#include <functional>
#include <optional>
#include <string_view>

#include "protocol/quiet_answer.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/upstream/client.hpp"

namespace tankard::proxy::handlers {

enum class relay_end : std::uint8_t { whole, client_gone, upstream_broke };

struct relayed {
  relay_end end = relay_end::whole;
  std::optional<upstream::failure> broken;
};

/// What is done with the pieces on their way.
struct on_the_way {
  std::function<void(std::string_view)> seen = {};   ///< shown every piece before the client gets it; must not throw
  std::optional<protocol::quiet_answer> quiet = {};  ///< leaves out what the host says
};

/// Sends head and body, whose beginning was read already (`first`); ends properly only if the upstream did, breaks the
/// connection otherwise.
awaitable<relayed> relay_stream(http::exchange& x, upstream::call& call, const upstream::response_head& head,
                                http::fields headers, std::string_view first = {}, on_the_way what = {});

}  // namespace tankard::proxy::handlers
