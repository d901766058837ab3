#pragma once
// Bodies of GET info/refs?service=git-upload-pack: the v2 capability advertisement and the v0/v1 listing
// (gitprotocol-http "Smart Server Response", gitprotocol-v2 "Capability Advertisement", gitprotocol-pack).

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/capabilities.hpp"
#include "protocol/capability_class.hpp"
#include "protocol/ls_refs.hpp"
#include "protocol/object_id.hpp"

namespace tankard::protocol {

/// `version 2` followed by capabilities.
struct v2_advertisement {
  capability_list capabilities{};

  object_format format() const noexcept;  ///< `object-format=`, sha1 where it is not said
  bool supports_command(std::string_view name) const noexcept { return capabilities.has(name); }
};

/// A whole listing, as protocol v0 and v1 answer. HEAD's symref-target comes from the `symref=` capability.
struct v0_advertisement {
  int version = 0;  ///< 0 or 1
  capability_list capabilities{};
  std::vector<ref_record> refs{};
  std::vector<object_id> shallow{};
  std::size_t dropped_names = 0;  ///< refs with invalid names, left out of `refs`
};

using advertisement = std::variant<v2_advertisement, v0_advertisement>;

/// Parses a whole body; the `# service=git-upload-pack` pkt and its flush are optional, as some hosts leave them out
/// for v2. Errors: remote_error where the server answers with a whole `ERR <text>` line, with or without the preamble;
/// those of pkt-line, plus bad_capability, bad_oid, bad_ref_line, too_many, truncated, trailing_data.
result<advertisement> parse_advertisement(std::string_view body, std::size_t max_refs = max_listed_refs);

/// Writes a v2 advertisement with the `# service=` preamble.
std::string write_v2_advertisement(const v2_advertisement& a);

/// Writes a listing of v0 or v1 (`version` 1) with the `# service=` preamble, as upload-pack does: the refs in their
/// order, peeled values behind their tags, `capabilities^{}` where there is none. `symref=` of HEAD is made from
/// `refs`, whatever `capabilities` says of it.
std::string write_v0_advertisement(const v0_advertisement& a);

/// The advertisement a client is shown: `dropped` ones removed, and with `offline` also the `upstream_only` ones.
/// For `fetch` and `ls-refs` the words of the value are filtered in the same way.
v2_advertisement shown_advertisement(const v2_advertisement& upstream, bool offline);
/// The same for the capabilities of a v0 or v1 listing.
capability_list shown_v0_capabilities(const capability_list& upstream, bool offline);
/// The same for a whole listing of v0 or v1: every other byte as it came. Nullopt where nothing is to be removed, and
/// where `body` is no such listing.
std::optional<std::string> shown_v0_listing(std::string_view body, bool offline);

/// What is remembered of the capabilities of a v0 or v1 listing: in one line, without those that are made anew for each
/// listing (symref) or never shown.
std::string v0_offer(const capability_list& capabilities);
/// What an upstream that offers this in v2 offers in v0: every upload-pack that speaks v2 can do this much.
std::string v0_offer(const v2_advertisement& upstream);
/// Reads such a line. Errors: bad_capability, too_many.
result<capability_list> parse_v0_offer(std::string_view line);

}  // namespace tankard::protocol
