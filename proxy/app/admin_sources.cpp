#include "proxy/app/admin_sources.hpp"

#include "proxy/app/labels.hpp"
#include "proxy/app/parts.hpp"

namespace tankard::proxy::app {
namespace {

std::uint64_t seconds_since(const cache::clock& c, cache::boot_point then) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(c.age(then)).count());
}

std::string_view word_of(upstream::breaker_state b) {
  switch (b) {
    case upstream::breaker_state::closed:
      return "closed";
    case upstream::breaker_state::half_open:
      return "half-open";
    case upstream::breaker_state::open:
      return "open";
  }
  return "closed";
}

admin::upstream_view view_of(const services& s, const upstream_site& site) {
  auto const health = site.health.report();
  admin::upstream_view v;
  v.name = site.settings.name;
  v.url = site.settings.url();
  v.state = upstream::to_string(health.state);
  v.available = upstream::takes_requests(health.state);
  v.enabled = site.health.enabled();
  v.since_seconds = seconds_since(s.clock, health.since);
  v.cause = health.cause;
  v.breaker = word_of(health.host);
  return v;
}

admin::view look(parts& p) {
  auto const counts = p.meters.cache();
  admin::view v;
  v.offline_mode = p.settings.offline_mode;
  v.cached_repos = p.listings.stats().entries;
  v.hits = counts.hits;
  v.misses = counts.misses;
  v.stale_serves = counts.stale;
  for (auto const& site : p.shared.upstreams) v.upstreams.push_back(view_of(p.shared, *site));
  v.version = p.version;
  v.uptime_seconds = seconds_since(p.shared.clock, p.begun);
  auto const stores = p.stores.stats();
  v.facts = {{"repositories with objects", std::to_string(stores.repositories)},
             {"bytes of objects", std::to_string(stores.bytes)},
             {"requests in flight", std::to_string(p.public_server.stats().in_flight_requests)}};
  return v;
}

metrics::gauges gauges_of(parts& p) {
  auto g = read_gauges(p.shared, p.public_server.stats());
  if (!p.certificates) return g;
  g.tls_reloaded = p.certificates->reloaded();
  g.tls_reload_failed = p.certificates->failed();
  g.tls_expiry = std::chrono::duration<double>(p.certificates->expires().time_since_epoch()).count();
  return g;
}

awaitable<std::string> scrape(parts& p) {
  auto job = [&p] { return p.meters.expose(gauges_of(p)); };
  co_return co_await p.pool.run(std::move(job));
}

bool enable(parts& p, const std::string& name, bool on) {
  for (auto& site : p.shared.upstreams) {
    if (site->settings.name != name) continue;
    site->health.set_enabled(on);
    return true;
  }
  return false;
}

awaitable<admin::purge_result> purge(parts& p, std::string name, std::string path) {
  for (auto& site : p.shared.upstreams) {
    if (site->settings.name != name) continue;
    repo_ref repo{*site, cache::make_repo_key(name, site->settings.kind, path)};
    if (site->settings.scope == config::auth_scope::user) co_return admin::purge_result::own_tables;
    bool const known = co_await p.listing.purge(std::move(repo));
    co_return known ? admin::purge_result::purged : admin::purge_result::not_known;
  }
  co_return admin::purge_result::no_upstream;
}

}  // namespace

admin::sources admin_sources_of(parts& p) {
  return {.look = [&p] { return look(p); },
          .ready = [&p] { return p.ready.load(); },
          .metrics = [&p] { return scrape(p); },
          .enable = [&p](const std::string& name, bool on) { return enable(p, name, on); },
          .purge = [&p](std::string name, std::string path) { return purge(p, std::move(name), std::move(path)); }};
}

}  // namespace tankard::proxy::app
