#pragma once
// Writes an answer to fetch to its spool, in the background: it belongs to the repository, not to the client who asked
// first (DESIGN 5, plans 2, 3 and 5). At its end the answer goes into the pack cache, and a first clone's pack to the
// store.

#include <memory>
#include <vector>

#include "cache/packs/sealed_response.hpp"
#include "cache/spool/spool.hpp"
#include "protocol/fetch_request.hpp"
#include "proxy/handlers/pack_source.hpp"
#include "proxy/refresh/pack_flights.hpp"
#include "proxy/refresh/sync_service.hpp"

namespace tankard::proxy::handlers {

/// What is produced, and for whom it is kept.
struct production {
  services& s;
  repo_ref repo;
  auth::identity_ptr who;
  std::string generation;
  refresh::led_flight lead;
  std::unique_ptr<pack_source> source;
  std::unique_ptr<cache::spool_writer> writer;
  cache::sealed_response filter;
  protocol::answer_form form;
  protocol::object_format format;
  bool worth_keeping = false;  ///< in the pack cache, also where nobody asks the same meanwhile
  std::vector<protocol::object_id> wants;
  std::optional<refresh::first_pack_claim> first_pack;  ///< the answer's pack is to become the store's first
};

/// Whether the answer to this request may bear lines about shallow commits.
bool asks_for_shallow(const protocol::fetch_request& asked) noexcept;

/// Blocking. A spool for an answer; the error is that of disk or descriptors.
boost::system::result<std::unique_ptr<cache::spool_writer>> open_spool(services& s);

/// Spawns it on the executor of whoever calls, where the source lives. Those who follow were given the spool before.
void produce_in_background(asio::any_io_executor ex, production p);

}  // namespace tankard::proxy::handlers
