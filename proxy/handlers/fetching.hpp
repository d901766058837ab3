#pragma once
// One fetch on its way: what is known of it, and the steps that carry out its plan (DESIGN 5). Each step answers the
// client, or decides anew and hands on to the next.

#include <optional>
#include <string>

#include "cache/packs/pack_key.hpp"
#include "protocol/fetch_answer.hpp"
#include "protocol/fetch_request.hpp"
#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/fetch_facts.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/handlers/pack_source.hpp"
#include "proxy/refresh/pack_flights.hpp"

namespace tankard::proxy::handlers {

/// For a place among the children.
inline constexpr std::chrono::seconds permit_limit{60};

struct fetching {
  services& s;
  http::exchange& x;
  const routed& r;
  const std::string& body;
  const protocol::fetch_request& asked;
  const protocol::v0_request* old;  ///< null: asked in v2
  cache::snapshot_ptr snapshot;
  upstream::admission admitted;
  gathered known{};
  std::optional<cache::pack_key> key{};  ///< under which its answer is shared; nullopt where it may not be
  std::optional<bool> worth_keeping{};   ///< its answer, for who asks the same again; asked once
  bool away = false;                     ///< upstream proved away while this request ran: decided anew, once
  const upstream::whole_answer* said{};  ///< what it said then, where that is better than a refusal
  bool synced = false;                   ///< the store was brought up to date for it, once
  unsigned failed_joins = 0;             ///< flights that came to nothing for it
};

// ---- fetch.cpp

/// From the first look to the answer.
awaitable<void> carry_out(fetching& f);
/// What its answer looks like.
protocol::answer_form form_of(const fetching& f) noexcept;
/// Finds out anew what is known, and who may see it.
awaitable<void> gather(fetching& f);
/// Decides, and carries it out.
awaitable<void> run_plan(fetching& f);
/// Whether what was found for this client still holds: asked behind every wait, right before the first byte.
awaitable<bool> still_shown(const fetching& f);
/// While this fetch waited the client lost the right to be shown what is kept: upstream's to answer.
awaitable<void> no_longer_shown(fetching& f);
/// The upstream failed before anything was sent to the client: once more, as an outage. `answer`: what it said, if
/// that is better than nothing.
awaitable<void> decide_again(fetching& f, const upstream::failure& why, const upstream::whole_answer* answer);
/// A line for band 2 where the refs are older than they should be; empty for none.
std::string note_of(const fetching& f);

// ---- fetch_shared.cpp: plans 1 and 2

/// The name that equal requests share, where the answer may be shared among those who may see the repository.
std::optional<cache::pack_key> shared_key(const fetching& f);
/// True where the pack cache had the answer, and this fetch was answered.
awaitable<bool> answer_from_packs(fetching& f, reason why);
/// Others may follow this fetch, or it them.
bool may_join(const fetching& f) noexcept;
/// REQUIRES: may_join(). A flight of the same request: the caller leads it (a value), or this fetch was answered by it
/// (nullopt).
awaitable<std::optional<refresh::led_flight>> lead_or_join(fetching& f);
/// An answer that begins, to be shared.
struct shared_answer {
  std::unique_ptr<pack_source> source;
  http::fields headers;
  bool from_upstream = false;
  bool first_pack = false;  ///< it is to become the store's first pack
};
/// Hands the source to the background, where it is written for all who follow, and follows as the first of them.
/// nullptr then; the source, where there is no room for a spool.
awaitable<std::unique_ptr<pack_source>> share(fetching& f, refresh::led_flight lead, shared_answer answer);
/// The head of an answer that is tankard's own.
http::fields result_headers();

// ---- send_alone.cpp

/// To this client only, as it comes.
awaitable<void> send_alone(fetching& f, pack_source& source, http::fields headers);

// ---- fetch_local.cpp: plan 3

awaitable<void> local(fetching& f, reason why);

// ---- fetch_upstream.cpp: plan 5

/// `first_pack`: the answer is to become the store's first pack.
awaitable<void> stream(fetching& f, bool first_pack, reason why);

}  // namespace tankard::proxy::handlers
