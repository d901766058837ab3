#pragma once
// The one name that fetch requests with the same answer share (DESIGN 5, "Canonical request"). Pure. Thread-safe.

#include <string_view>

#include "cache/io/sha256.hpp"
#include "cache/listing/ref_table.hpp"
#include "cache/repo_key.hpp"
#include "protocol/fetch_request.hpp"

namespace tankard::cache {

/// Where, and in which form the question was asked: what the request itself does not say.
struct request_context {
  const repo_key& repo;
  std::string_view generation;
  /// The protocol and those of its capabilities that shape the answer, in one form: "v2", or for v0 the side-band,
  /// multi_ack and no-done capabilities that the client chose.
  std::string_view framing;
  /// tags_digest() of the present table: with include-tag the answer depends on the tags.
  const sha256_digest& tags;
};

/// Each part goes in with its length in front, so that no two different requests can look the same. Agent, session-id,
/// credential and no-progress are not part, nor is the order of wants, haves, shallow lines or server options.
/// REQUIRES: may_be_cached(request), and that it comes from parse_fetch_request (sorted lists).
sha256_digest request_digest(const request_context& where, const protocol::fetch_request& request);

/// Of the tags of a table and what they peel to.
sha256_digest tags_digest(const ref_table& table);

/// False for what is answered by upstream or by the store each time: arguments or capabilities that are unknown or mean
/// something only to upstream, and requests that want nothing. What upstream did not advertise is the caller's to know.
bool may_be_cached(const protocol::fetch_request& request) noexcept;

}  // namespace tankard::cache
