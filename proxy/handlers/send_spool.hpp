#pragma once
// An answer to fetch on its way to one client: from a spool that is being written, or from the pack cache. What
// tankard itself has to say goes into band 2 behind the head (cache::response_head), where there are bands; the body
// stays as it is.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cache/packs/pack_cache.hpp"
#include "cache/spool/spool.hpp"
#include "protocol/fetch_answer.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/refresh/pack_flights.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::handlers {

struct sending {
  http::fields headers;
  std::string note;       ///< a line for band 2; empty for none
  bool progress = false;  ///< the client wants to see the producer's progress
  protocol::answer_form form{};
  /// Asked behind every wait, right before the first byte: whether the client may still have it. Empty where upstream
  /// itself just said so.
  std::function<awaitable<bool>()> may_have_it{};
  /// For the first byte of what somebody else began. nullopt: as long as it takes.
  std::optional<std::chrono::nanoseconds> patience{};
};

/// What `may_have_it` says; true where it is empty.
awaitable<bool> may_begin(const sending& what);

enum class sent_end : std::uint8_t {
  whole,
  client_gone,
  no_longer_shown,  ///< the client lost the right to have it before he got a byte
  too_late,         ///< there was no first byte within his patience
  not_begun,        ///< the production failed before this client got a byte: he may be answered in another way
  broke,            ///< it failed later: the connection is broken off, behind a band 3 that tells so
};

/// Follows the spool to its end. While the producer is silent the client hears a keep-alive now and then.
awaitable<sent_end> send_spool(http::exchange& x, cache::spool_follower& from, const refresh::pack_flight& flight,
                               sending what);

/// Sends a kept answer, with its length: by sendfile where the connection can. False, and nothing sent, where the
/// client may not have it any more.
awaitable<bool> send_kept(services& s, http::exchange& x, cache::cached_pack_ptr pack, sending what);

}  // namespace tankard::proxy::handlers
