#pragma once
// The wire part of syncs and mirrors: tankard's own fetch, its answer piped into a store or a file.

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "protocol/fetch_request.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

/// What the store has and upstream is likely to know: present values of refs that are about to change first, then
/// others.
std::vector<protocol::object_id> choose_haves(const cache::store_view& view, const cache::ref_table& table,
                                              std::size_t most);

struct fetched_into {
  cache::ingest_result<void> result;  ///< the error is a sentence for the log
  bool of_this_credential = false;    ///< it was refused, or limited: another one may do
};
/// Fetches `wants` into `store`, with the credential of `who`.
awaitable<fetched_into> fetch_into(services& s, repo_ref repo, const auth::identity& who, cache::repo_store_ptr store,
                                   std::vector<protocol::object_id> wants, std::vector<protocol::object_id> haves);
struct whole_limits {
  std::uint64_t bytes;            ///< of the pack
  std::chrono::nanoseconds time;  ///< of the transfer
};
struct whole_pack {
  cache::ingest_result<std::unique_ptr<cache::pack_spool>> pack;  ///< the error is a sentence for the log
  bool too_large = false;
};
/// Fetches what is wanted with all its history, into a file for a first pack.
awaitable<whole_pack> fetch_whole(services& s, repo_ref repo, const auth::identity& who, protocol::own_fetch question,
                                  whole_limits limits);

}  // namespace tankard::proxy::refresh
