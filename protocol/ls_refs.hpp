#pragma once
// ls-refs (gitprotocol-v2 "ls-refs"): the question and the listing.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/object_id.hpp"

namespace tankard::protocol {

struct command_request;

/// Most refs of one listing that are parsed; a longer one is too_many.
inline constexpr std::size_t max_listed_refs = 4'000'000;
/// Most ref-prefixes of one question; git's own server drops the filter beyond this (ls-refs.c TOO_MANY_PREFIXES).
inline constexpr std::size_t max_ref_prefixes = 65536;

struct ls_refs_request {
  bool peel = false;
  bool symrefs = false;
  bool unborn = false;
  std::vector<std::string> ref_prefixes{};    ///< sorted, unique; none = all refs
  std::vector<std::string> server_options{};  ///< sorted
  object_format format = object_format::sha1;
  /// Capabilities tankard does not know; non-empty means: upstream's to answer.
  std::vector<std::string> bypass_capabilities{};

  /// One string that is equal exactly for requests with the same answer (agent and session-id are not part). A
  /// ref-prefix that another one covers changes nothing and is not part either.
  std::string canonical() const;
  /// True where a ref of this name belongs to the answer. REQUIRES: `ref_prefixes` sorted. Fast for many prefixes.
  bool matches(std::string_view ref_name) const noexcept;
  friend bool operator==(const ls_refs_request&, const ls_refs_request&) = default;
};

/// One line of a listing.
struct ref_record {
  std::string name{};
  object_id oid{};  ///< zero where `unborn`
  std::optional<object_id> peeled{};
  std::string symref_target{};  ///< empty where the ref is none, or was not asked for
  bool unborn = false;
  friend bool operator==(const ref_record&, const ref_record&) = default;
};

/// Errors: bad_argument for an argument ls-refs does not know, too_many.
result<ls_refs_request> parse_ls_refs_request(const command_request& request);
/// The request as a body, with these capabilities (agent, object-format) before the delim-pkt.
std::string write_ls_refs_request(const ls_refs_request& request, std::string_view agent);

struct ls_refs_response {
  std::vector<ref_record> refs{};  ///< in the upstream's order
  std::size_t dropped_names = 0;   ///< refs with invalid names (check-ref-format), left out
};

/// Parses a whole response. Unknown ref attributes are ignored.
/// Errors: remote_error where the server answers with a whole `ERR <text>` line, also after some refs; those of
/// pkt-line, plus bad_oid, bad_ref_line, too_many, truncated (no flush-pkt), trailing_data.
result<ls_refs_response> parse_ls_refs_response(std::string_view body, std::size_t max_refs = max_listed_refs);

/// Appends one ref line with only the attributes that `asked` asked for; nothing for an unborn ref unless both `unborn`
/// and `symrefs` were. Whether the name was asked for is the caller's to know (`matches`).
void append_ref_line(std::string& out, const ref_record& ref, const ls_refs_request& asked);

}  // namespace tankard::protocol
