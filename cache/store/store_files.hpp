#pragma once
// The text files of a store: ledger, packed-refs, HEAD, key, config. Formats only; pure. Thread-safe.

#include <boost/system/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/store/repo_store.hpp"

namespace tankard::cache {

inline constexpr std::string_view ledger_file = "ledger";
inline constexpr std::string_view packed_refs_file = "packed-refs";
inline constexpr std::string_view head_file = "HEAD";
inline constexpr std::string_view key_file = "key";
inline constexpr std::string_view config_file = "config";

/// Most bytes read of any of them; a ledger or packed-refs of four million lines fits.
inline constexpr std::size_t max_store_file = std::size_t{512} << 20;

/// A header, one oid per line in the order of entry, and the SHA-256 of what is before it.
std::string write_ledger(const std::vector<protocol::object_id>& tips);
/// Errors: damaged_ledger, other_format (oids of two formats).
boost::system::result<std::vector<protocol::object_id>> parse_ledger(std::string_view text);

/// git's own format, complete, sorted, peeled. The checksum is a trait of the header, which git and libgit2 skip as
/// unknown. An entry named HEAD (a detached one) is left out: it lives in HEAD itself.
std::string write_packed_refs(const ref_values& refs);
/// Error: damaged_refs.
boost::system::result<ref_values> parse_packed_refs(std::string_view text);

struct head_value {
  std::string symref;  ///< empty where detached
  std::optional<protocol::object_id> oid;
};
std::string write_head(const head_value& head);
/// Error: damaged_refs.
boost::system::result<head_value> parse_head(std::string_view text);

std::string key_text(const repo_key& key, std::string_view generation);
struct named_store {
  repo_key key;
  std::string generation;
};
std::optional<named_store> parse_key_text(std::string_view text);
std::string store_config(protocol::object_format format);
/// The format that a config of ours names.
protocol::object_format format_of_config(std::string_view text) noexcept;

}  // namespace tankard::cache
