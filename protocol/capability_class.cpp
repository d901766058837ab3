#include "protocol/capability_class.hpp"

#include <algorithm>
#include <array>

namespace tankard::protocol {
namespace {

using enum capability_protocol;
using enum capability_class;

// "ours" is what `git upload-pack` 2.39 on a store (allowFilter, allowAnySHA1InWant) advertises, or takes without a
// word. ARCHITECTURE.md has the same rows; a test compares them.
constexpr std::array rows = {
    capability_row{both, "agent", ours, "upstream's own name is shown; nothing depends on it"},
    capability_row{both, "object-format", ours, "a store has the format of its upstream"},
    capability_row{both, "session-id", dropped,
                   "not shown, so clients send none: it would tell sessions apart that ask the same"},

    capability_row{v2, "ls-refs", ours, "answered from the ref table"},
    capability_row{v2, "ls-refs=unborn", ours, "the ref table knows an unborn HEAD"},
    capability_row{v2, "fetch", ours, "answered by upload-pack on the store"},
    capability_row{v2, "fetch=shallow", ours, "git >= 2.18 serves deepen and shallow"},
    capability_row{v2, "fetch=wait-for-done", ours, "git >= 2.32"},
    capability_row{v2, "fetch=filter", ours, "uploadpack.allowFilter is set on every store"},
    capability_row{v2, "server-option", ours, "part of every canonical request; upload-pack ignores it"},
    capability_row{v2, "fetch=ref-in-want", upstream_only, "would pair the names of now with the objects of then"},
    capability_row{v2, "fetch=sideband-all", upstream_only, "changes the framing of every section"},
    capability_row{v2, "fetch=packfile-uris", upstream_only, "the pack would not be self-contained"},
    capability_row{v2, "object-info", upstream_only, "git 2.39 answers it for any object of a store, reachable or not"},
    capability_row{v2, "bundle-uri", upstream_only, "git 2.39 does not serve it"},
    capability_row{v2, "promisor-remote", upstream_only, "names remotes that tankard does not know"},

    capability_row{v0, "multi_ack", ours, "upload-pack negotiates on the store; part of the canonical request"},
    capability_row{v0, "multi_ack_detailed", ours, "as multi_ack"},
    capability_row{v0, "no-done", ours, "as multi_ack"},
    capability_row{v0, "side-band", ours, "upload-pack frames the pack; part of the canonical request"},
    capability_row{v0, "side-band-64k", ours, "as side-band"},
    capability_row{v0, "thin-pack", ours, "upload-pack on the store"},
    capability_row{v0, "ofs-delta", ours, "upload-pack on the store"},
    capability_row{v0, "include-tag", ours, "upload-pack on the store"},
    capability_row{v0, "no-progress", ours, "tankard's own lines are left out too"},
    capability_row{v0, "shallow", ours, "upload-pack on the store"},
    capability_row{v0, "deepen-since", ours, "upload-pack on the store"},
    capability_row{v0, "deepen-not", ours, "upload-pack on the store; never kept"},
    capability_row{v0, "deepen-relative", ours, "upload-pack on the store; never kept"},
    capability_row{v0, "filter", ours, "uploadpack.allowFilter is set on every store"},
    capability_row{v0, "symref", ours, "made from the ref table"},
    capability_row{v0, "allow-tip-sha1-in-want", ours, "tankard knows which tips may be wanted"},
    capability_row{v0, "allow-reachable-sha1-in-want", ours, "what is reachable from a verified tip is served"},
};

capability_class classify(std::string_view key, capability_protocol in) noexcept {
  auto const fits = [&](const capability_row& r) { return r.key == key && (r.in == in || r.in == both); };
  auto const row = std::ranges::find_if(rows, fits);
  return row == rows.end() ? upstream_only : row->what;
}

}  // namespace

std::string_view to_string(capability_class c) noexcept {
  switch (c) {
    case ours:
      return "ours";
    case upstream_only:
      return "upstream-only";
    case dropped:
      return "dropped";
  }
  return "?";
}

std::string_view to_string(capability_protocol p) noexcept {
  switch (p) {
    case v2:
      return "v2";
    case v0:
      return "v0, v1";
    case both:
      return "all";
  }
  return "?";
}

std::span<const capability_row> capability_rows() noexcept { return rows; }

capability_class classify_capability(std::string_view key) noexcept { return classify(key, v2); }
capability_class classify_v0_capability(std::string_view key) noexcept { return classify(key, v0); }

}  // namespace tankard::protocol
