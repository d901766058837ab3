#pragma once
// URLs, mounts and names of upstreams: what may be written, and what it means. Pure. Thread-safe.
// Problems are the end of a sentence: "must begin with http:// or https://". They never repeat a URL, which may hold a
// password.

#include <optional>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

#include "proxy/config/config.hpp"
#include "proxy/config/settings.hpp"

namespace tankard::proxy::config {

/// `key` is the setting below [upstream.<name>] that is wrong; empty: the value that was given, or the table itself.
struct problem {
  problem() = default;
  problem(std::string_view k, std::string_view w) : key(k), what(w) {}
  std::string key;
  std::string what;
};
template <class T>
using or_problem = boost::system::result<T, problem>;

struct parsed_url {
  std::string scheme;  ///< http | https
  std::string host;    ///< lower case, without brackets
  std::uint16_t port = 0;
  std::string base_path;  ///< decoded, "" or "/a/b"

  /// "github.com", "127.0.0.1:3000", "[::1]:3000": with the port where it is not the scheme's own.
  std::string authority() const;
};
/// http and https only; no user name, query or fragment; path segments as in mounts.
or_problem<parsed_url> parse_upstream_url(std::string_view url);

/// "/" or "" -> ""; "/a/b/" -> "/a/b". Segments are neither empty nor `.` or `..`, without backslash and control
/// characters.
or_problem<std::string> clean_mount(std::string_view mount);

/// A name is made of letters, digits and . _ - : [ ], is at most 100 bytes long, and is not "none".
std::optional<std::string> name_problem(std::string_view name);

/// The upstream that a draft describes. An empty name becomes the authority of its URL.
or_problem<upstream> make_upstream(const upstream_draft& d);

}  // namespace tankard::proxy::config
