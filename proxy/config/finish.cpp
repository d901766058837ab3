#include <algorithm>
#include <system_error>

#include "proxy/config/draft.hpp"
#include "proxy/config/service_rules.hpp"
#include "proxy/config/upstream_url.hpp"

namespace tankard::proxy::config {
namespace {

void check_refs(draft& d) {
  for (auto const& prefix : d.value.syncing.mirror_refs)
    if (!prefix.starts_with("refs/") || !prefix.ends_with('/'))
      d.problems.push_back(d.naming("sync.mirror_refs") + " must be prefixes from `refs/` to a `/`, is " +
                           ticked(prefix));
}

void check_ca_file(draft& d, const upstream& u) {
  std::error_code ec;
  if (u.ca_file.empty() || std::filesystem::is_regular_file(u.ca_file, ec)) return;
  d.problems.push_back(d.naming("upstream." + u.name + ".ca_file") + " must be a file, but there is none at " +
                       ticked(u.ca_file.string()));
}

void make_upstreams(draft& d) {
  for (auto const& u : d.upstreams) {
    auto made = make_upstream(u);
    if (made) {
      check_ca_file(d, *made);
      check_service(d, *made);
      d.value.upstreams.push_back(std::move(*made));
      continue;
    }
    auto const table = "upstream." + u.name;
    auto const key = made.error().key.empty() ? table : table + "." + made.error().key;
    auto const known = d.naming(key) != ticked(key);
    d.problems.push_back((known ? d.naming(key) : ticked(key) + d.naming(table).substr(ticked(table).size())) + " " +
                         made.error().what);
  }
}

std::string shown_mount(const upstream& u) { return ticked(u.mount.empty() ? "/" : u.mount); }

void check_pair(draft& d, const upstream& a, const upstream& b) {
  auto const names = ticked(a.name) + " and " + ticked(b.name);
  if (a.hosts.empty() && b.hosts.empty() && a.mount == b.mount)
    d.problems.push_back("upstreams " + names + " are both mounted at " + shown_mount(a) +
                         "; set another `mount` or `hosts` for one of them");
  for (auto const& h : a.hosts)
    if (std::find(b.hosts.begin(), b.hosts.end(), h) != b.hosts.end())
      d.problems.push_back("upstreams " + names + " both claim the host " + ticked(h) + " in `hosts`");
}

/// git's credential helpers match protocol and host, not path: a client would hand one upstream's token to the other.
void check_shared_authority(draft& d) {
  if (d.value.allow_shared_authority) return;
  std::string names;
  std::size_t by_path = 0;
  for (auto const& u : d.value.upstreams)
    if (u.hosts.empty()) names += (by_path++ == 0 ? "" : ", ") + ticked(u.name);
  if (by_path < 2) return;
  d.problems.push_back(
      "upstreams " + names +
      " are mounted by path on one listener, where git's credential helpers, which match protocol and host but not "
      "path, would "
      "send the token of one to the other; either give all but one of them host names of their own (`hosts = "
      "[\"git.example.com\"]`), or run a second tankard with its own listener, or set `allow_shared_authority = true` "
      "and "
      "`git config --global credential.useHttpPath true` on every client");
}

}  // namespace

void finish(draft& d) {
  check_refs(d);
  check_listeners(d);
  make_upstreams(d);
  auto const& all = d.value.upstreams;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) check_pair(d, all[j], all[i]);
  check_shared_authority(d);
}

std::filesystem::path config::ls_refs_path() const {
  return refs.cache_path.empty() ? cache_directory / "ls-refs" : refs.cache_path;
}

std::filesystem::path config::packs_path() const { return cache_directory / "packs"; }

std::filesystem::path config::spools_path() const { return cache_directory / "spools"; }

std::filesystem::path config::access_path() const { return cache_directory / "access"; }

std::filesystem::path config::token_path() const {
  return admin_listener.token_file.empty() ? cache_directory / "admin.token" : admin_listener.token_file;
}

}  // namespace tankard::proxy::config
