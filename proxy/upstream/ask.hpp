#pragma once
// A whole answer of the upstream in memory: for advertisements and listings, which are short beside packs.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/net/memory_budget.hpp"
#include "proxy/upstream/classify.hpp"
#include "proxy/upstream/client.hpp"

namespace tankard::proxy::upstream {

struct whole_answer {
  response_head head;
  net::memory_claim claim{};  ///< covers `body`; the budget outlives it
  std::string body;
  bool too_large = false;  ///< the body was longer than the limit; `body` is not whole
  classified meaning;
};

struct ask_limits {
  std::size_t max_body = 64u << 20;
  std::chrono::milliseconds total{60'000};  ///< for the whole exchange
};

/// Sends, reads everything, classifies. The body is claimed from `budget` as it grows.
/// Failure: whatever kept an HTTP answer from coming whole; an answer that takes too long is class repo_outage also
/// where its head came, and one that the budget has no room for is class client, reason overloaded. An answer of any
/// status is a value.
awaitable<outcome_of<whole_answer>> ask(client& c, request req, std::string_view expected_type, ask_limits limits,
                                        net::memory_budget& budget);

/// The rest of an answer whose head came, small enough to be held: what an upstream says when it is unwell, or says no.
/// nullopt: longer than 64 KiB, or broken off; the call is of no more use then. `meaning` is left to the caller.
awaitable<std::optional<whole_answer>> read_rest(call& c, response_head head);
/// What a 403 amounts to whose words are longer than that: nobody knows whether it is a denial or a rate limit.
failure refused_at_length();

}  // namespace tankard::proxy::upstream
