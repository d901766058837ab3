#pragma once
// Where a redirect of an upstream leads when it is seen through tankard (DESIGN 3, "invisible while the upstream is
// well").

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tankard::proxy::upstream {

struct known_upstream {
  std::string origin;     ///< scheme://host[:port]
  std::string base_path;  ///< "" or "/git": what of it is mounted
  std::string mount;      ///< "" or "/github.com"
  /// Where clients reach this mount, if not on the authority of the request; empty = on the same.
  std::string client_origin;
};

/// Whose answer it is: one of the known upstreams, and the target (path and query) that was asked of it.
struct asked {
  std::size_t upstream = 0;  ///< index into `known`
  std::string_view target = "/";
};

/// A `location` inside a known upstream, as the same path below its mount, with query and fragment: path-absolute, or
/// below the mount's client_origin or, where it has none, `self_origin` if that is not empty. nullopt = leave it alone.
/// A relative location is resolved against what was asked; where it then leads out of every known upstream it comes
/// back absolute, because the client would resolve it against us. The longest base path wins, then the upstream asked.
/// Default ports and the case of scheme and host do not matter; a location with userinfo is never one of ours.
/// Pure. Thread-safe. REQUIRES: of.upstream < known.size().
std::optional<std::string> move_location(std::string_view location, std::span<const known_upstream> known,
                                         const asked& of, std::string_view self_origin = {});

}  // namespace tankard::proxy::upstream
