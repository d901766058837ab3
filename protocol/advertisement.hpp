#pragma once
// Bodies of GET info/refs?service=git-upload-pack: the v2 capability advertisement and the v0/v1 listing
// (gitprotocol-http "Smart Server Response", gitprotocol-v2 "Capability Advertisement", gitprotocol-pack).

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/capabilities.hpp"
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

/// What tankard does with a capability of the upstream's v2 advertisement (DESIGN 4).
enum class capability_class {
  ours,           ///< git 2.39 upload-pack on a store serves it: offered whenever upstream offered it
  upstream_only,  ///< offered while upstream is there; a request that uses it bypasses
  dropped,        ///< never offered
};
/// Classes one capability key, or one word of the value of `fetch=` / `ls-refs=` written as "fetch=word".
capability_class classify_capability(std::string_view key) noexcept;

/// The advertisement a client is shown: `dropped` ones removed, and with `offline` also the `upstream_only` ones.
/// For `fetch` and `ls-refs` the words of the value are filtered in the same way.
v2_advertisement shown_advertisement(const v2_advertisement& upstream, bool offline);

}  // namespace tankard::protocol
