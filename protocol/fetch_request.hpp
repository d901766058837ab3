#pragma once
// fetch (gitprotocol-v2 "fetch"): the question, its shape, and the one form that equal questions share.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/object_id.hpp"

namespace tankard::protocol {

struct command_request;

/// Most wants, haves or shallow lines of one request; more is too_many.
inline constexpr std::size_t max_fetch_oids = 2'000'000;
/// Most reasons kept in `bypass_args`; further ones change nothing.
inline constexpr std::size_t max_bypass_args = 64;

struct fetch_request {
  std::vector<object_id> wants{};    ///< sorted, unique
  std::vector<object_id> haves{};    ///< sorted, unique
  std::vector<object_id> shallow{};  ///< sorted, unique
  bool done = false;
  bool wait_for_done = false;
  bool thin_pack = false;
  bool no_progress = false;
  bool include_tag = false;
  bool ofs_delta = false;
  std::optional<std::uint32_t> deepen{};
  std::optional<std::int64_t> deepen_since{};  ///< seconds since 1970
  std::string filter{};                        ///< as sent; empty = none
  std::vector<std::string> server_options{};   ///< sorted
  object_format format = object_format::sha1;

  /// Arguments that are never answered from here (want-ref, deepen-not, deepen-relative, sideband-all, packfile-uris,
  /// filter=sparse:oid, anything unknown, unknown capabilities too); non-empty means: upstream's to answer. The first
  /// `max_bypass_args` of them, in the order sent.
  std::vector<std::string> bypass_args{};

  /// No haves, no shallow, no depth, no filter, `done` said, nothing to bypass: the answer is a self-contained pack.
  bool clone_shaped() const noexcept;
  /// Equal exactly for requests with the same answer for one repository and generation; agent, session-id and
  /// no-progress are not part. Order of wants and haves is not part. A key only where `bypass_args` is empty.
  std::string canonical() const;
};

/// Errors: bad_oid, bad_argument, too_many. An unknown argument is no error: it goes to `bypass_args`.
result<fetch_request> parse_fetch_request(const command_request& request);

/// tankard's own question: wants, haves, done, ofs-delta, thin-pack where there are haves. Asks for progress.
struct own_fetch {
  std::vector<object_id> wants{};
  std::vector<object_id> haves{};
  object_format format = object_format::sha1;
};
std::string write_fetch_request(const own_fetch& request, std::string_view agent);

}  // namespace tankard::protocol
