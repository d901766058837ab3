#include "proxy/app/parts.hpp"

#include <filesystem>
#include <stdexcept>

#include "proxy/admin/token.hpp"
#include "proxy/app/admin_sources.hpp"
#include "proxy/app/disk_share.hpp"
#include "proxy/app/labels.hpp"
#include "proxy/auth/make_gate.hpp"
#include "proxy/handlers/dispatch.hpp"
#include "proxy/plan/access.hpp"

namespace tankard::proxy::app {
namespace {

constexpr std::size_t long_job_threads = 2;  // one may be a walk over a large repository: then another one goes on
constexpr std::size_t walks_at_once = long_job_threads - 1;  // removals and adoptions never wait behind clients
constexpr std::size_t walks_waiting = 64;                    // half of them for one repository
constexpr std::size_t admin_connections = 256;               // a few scrapers and people
constexpr std::size_t share_of_ready_answers = 8;  // ready answers may take this part of ls_refs.max_bytes besides

http::server_limits public_limits(const config::limits& l) {
  return {.max_connections = l.connections,
          .max_tls_connections = l.tls_connections,
          .max_header_bytes = l.header_bytes,
          .header_timeout = l.header,
          .keep_alive_timeout = l.keep_alive,
          .write_idle_timeout = l.write_idle};
}

http::server_limits admin_limits() {
  http::server_limits l;
  l.max_connections = admin_connections;
  return l;
}

/// REQUIRES: the networks were checked with the configuration; `logs` outlives the server.
http::edge_options edge_of(const config::edge& e, const log::logger& logs) {
  auto const trusted = net::address_ranges::parse(e.trusted_proxies);
  http::edge_options edge;
  if (trusted) edge.trusted = *trusted;
  edge.proxy_protocol = e.proxy_protocol;
  edge.refused = [&logs](std::string_view peer, std::string_view cause) {
    logs.log_event(log::level::debug, "connection-refused", {{"peer", peer}, {"cause", cause}});
  };
  return edge;
}

net::tls_files tls_files_of(const config::tls& t) {
  auto const clients = t.client_certificates == "required"   ? net::client_certificates::required
                       : t.client_certificates == "optional" ? net::client_certificates::optional
                                                             : net::client_certificates::off;
  return {.certificate = t.certificate, .key = t.key, .client_ca = t.client_ca, .clients = clients};
}

upstream::client_options client_options_of(const config::config& c, const config::upstream& u) {
  return {.scheme = u.scheme,
          .host = u.host,
          .port = u.port,
          .ca_file = u.ca_file.string(),
          .http_proxy = upstream::proxy_from_environment(u.scheme, u.host, u.port),
          .connect_timeout = c.time.connect,
          .first_byte_timeout = c.time.first_byte,
          .idle_timeout = c.time.fetch_idle,
          .max_connections = c.limit.upstream_connections};
}

cache::ingest_limits ingest_limits_of(const config::config& c, int lock_fd) {
  return {.max_memory = c.limit.child_memory,
          .stall = std::chrono::duration_cast<std::chrono::seconds>(c.time.fetch_idle),
          .lock_fd = lock_fd};
}

cache::upkeep_limits upkeep_limits_of(const config::config& c) {
  return {.max_memory = c.maintenance.memory,
          .niceness = static_cast<int>(c.maintenance.niceness),
          .stall = std::chrono::duration_cast<std::chrono::seconds>(c.time.fetch_idle)};
}

/// Of the cache directory's file system; as much as there can be where it does not tell.
std::uint64_t file_system_bytes(const config::config& c) {
  std::error_code ec;
  return std::filesystem::space(c.cache_directory, ec).capacity;
}

cache::spool_limits spool_limits_of(const config::config& c) {
  return {.max_ahead = c.spooling.max_ahead,
          .max_on_disk = disk_share(c.spooling.max_bytes, c.max_bytes, file_system_bytes(c))};
}

cache::pack_cache_options pack_cache_options_of(const config::config& c) {
  return {.folder = c.packs_path(),
          .max_bytes = disk_share(c.kept.max_bytes, c.max_bytes, file_system_bytes(c)),
          .max_entry_bytes = c.kept.max_entry_bytes};
}

std::size_t loop_count(const config::config& c) {
  return c.threads > 0 ? c.threads : std::max(1u, std::thread::hardware_concurrency());
}

std::string words_of(std::exception_ptr e) {
  try {
    std::rethrow_exception(std::move(e));
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception of an unknown kind";
  }
}

cache::ls_refs_cache::problem_sink logging_problems(const log::logger& logs) {
  return [&logs](const std::string& file, const std::string& cause) {
    logs.log_event(log::level::warning, "cache-problem", {{"file", file}, {"cause", cause}});
  };
}

cache::pack_cache::problem_sink logging_pack_problems(const log::logger& logs) {
  return [&logs](const std::string& what, const std::string& cause) {
    logs.log_event(log::level::warning, "pack-problem", {{"what", what}, {"cause", cause}});
  };
}

cache::decision_book::problem_sink logging_access_problems(const log::logger& logs) {
  return [&logs](const std::string& what, const std::string& cause) {
    logs.log_event(log::level::error, "access-problem", {{"what", what}, {"cause", cause}});
  };
}

net::task_group::failure_handler logging_failures(const log::logger& logs) {
  return [&logs](std::exception_ptr e) {
    auto const cause = words_of(std::move(e));
    logs.log_event(log::level::error, "background-failed", {{"cause", cause}});
  };
}

}  // namespace

parts::parts(const config::config& c, const std::string& version_, const log::logger& to, int lock_fd,
             const cache::secret_key& digests)
    : settings(c),
      version(version_),
      logs(to),
      begun(cache::system_clock().now()),
      git({.max_memory = c.limit.child_memory}),
      meters(label_words_of(c), version_),
      spools(spool_limits_of(c)),
      pool(c.blocking_threads),
      long_jobs(long_job_threads),
      listings({.directory = c.ls_refs_path(), .max_bytes = c.refs.max_bytes, .max_entries = c.refs.max_entries},
               cache::system_clock(), logging_problems(logs)),
      remembered(c.refs.max_bytes / share_of_ready_answers),
      stores(c.cache_directory),
      packs(pack_cache_options_of(c), cache::system_clock(), logging_pack_problems(logs)),
      evictable(stores, [this](const cache::evicted_store& gone) { note_evicted(gone); }),
      evictable_packs(packs),
      spooled(spools),
      disk({c.max_bytes, c.min_free_bytes}, [this] { return stores.free_bytes(); }),
      ingest(stores, pool, ingest_limits_of(c, lock_fd)),
      upkeep(stores, pool, upkeep_limits_of(c)),
      bodies(c.limit.body_memory),
      key(digests),
      decisions({.file = c.access_path() / "decisions.v1.sqlite",
                 .key = digests,
                 .max_entries = c.access.max_decisions,
                 .keep = c.access.offline_grace + plan::access_lifetime},
                cache::system_clock(), logging_access_problems(logs)),
      challenges(c.access_path() / "challenges", logging_access_problems(logs)),
      pushes(c.refresh.write_debounce),
      background(logging_failures(logs)),
      shared{.settings = c,
             .clock = cache::system_clock(),
             .runtime = runtime,
             .background = background,
             .pool = pool,
             .long_jobs = long_jobs,
             .listings = listings,
             .remembered = remembered,
             .questions = questions,
             .stores = stores,
             .spools = spools,
             .packs = packs,
             .worked_out = worked_out,
             .disk = disk,
             .ingest = ingest,
             .decisions = decisions,
             .challenges = challenges,
             .meters = meters,
             .logs = logs,
             .bodies = bodies,
             .marks = marks,
             .not_found = not_found,
             .pushes = pushes,
             .children = cache::fair_semaphore::make(c.limit.children, c.limit.children_waiting),
             .walks = cache::fair_semaphore::make(walks_at_once, walks_waiting),
             .lock_fd = lock_fd,
             .upstreams = {},
             .agent = "tankard/" + version_,
             .git_agent = "git/2.39.5 (tankard/" + version_ + ")"},
      listing(shared),
      syncs(shared),
      mirrors(shared),
      poller(shared),
      keeper(shared, upkeep),
      evictor(shared),
      runtime(loop_count(c)),
      public_server(
          runtime, public_limits(c.limit), [this](http::exchange& x) { return handlers::dispatch(shared, x); },
          [this](const http::exchange& x, const http::request_report& r) { report(x, r); }, edge_of(c.front, to)),
      admin_server(
          runtime, admin_limits(), [this](http::exchange& x) { return admin->handle(x); },
          [](const http::exchange&, const http::request_report&) {}) {
  shared.listing = &listing;
  shared.syncs = &syncs;
  shared.flights = &flights;
  shared.mirrors = &mirrors;
  disk.add_source(evictable);
  disk.add_source(evictable_packs);
  disk.add_source(spooled);
  packs.on_put([this] { evictor.wake(); });
  stores.on_change([this] {
    keeper.wake();
    evictor.wake();
  });
  add_upstreams();
}

void parts::add_upstreams() {
  for (std::size_t i = 0; i < settings.upstreams.size(); ++i) {
    auto const& u = settings.upstreams[i];
    bool const enabled = u.enabled && !settings.offline;
    auto site = std::make_unique<upstream_site>(u, i, client_options_of(settings, u), upstream::health_options{},
                                                shared.clock, enabled);
    site->health.on_change([this, name = u.name](const upstream::health_report&, const upstream::health_report& now) {
      auto const severity = now.state == upstream::state::available ? log::level::info : log::level::warning;
      logs.log_event(severity, "upstream-state",
                     {{"upstream", name}, {"state", upstream::to_string(now.state)}, {"cause", now.cause}});
    });
    shared.upstreams.push_back(std::move(site));
  }
}

boost::system::result<void, std::string> parts::open_gates() {
  auth::gate_parts const with{
      .key = key, .clock = shared.clock, .pool = pool, .background = background, .meters = meters, .logs = logs};
  for (auto& site : shared.upstreams) {
    auto made = auth::make_gate(site->settings, site->index, with);
    if (!made) return made.error();
    site->gate = std::move(*made);
    on_reload.emplace_back([gate = site->gate.get()] { gate->reload(); });
  }
  return {};
}

boost::system::result<void, std::string> parts::open_admin(config::endpoint at) {
  auto const& a = settings.admin_listener;
  auto obtained = admin::obtain_token(a.token_file, settings.token_path());
  if (!obtained.problem.empty()) return obtained.problem;
  admin.emplace(admin::options{.token = std::move(obtained.token), .listen = std::move(at), .hosts = a.hosts},
                admin_sources_of(*this));
  return {};
}

boost::system::result<void, std::string> parts::open_certificates() {
  if (settings.secure.listen.type == config::endpoint::kind::none) return {};
  auto opened = net::tls_certificates::open(tls_files_of(settings.secure));
  if (!opened) return opened.error();
  certificates = std::move(*opened);
  watch.emplace(runtime.context(0), *certificates, pool, logs, settings.secure.reload_interval,
                [this] { public_server.close_outdated(); });
  on_reload.emplace_back([this] { watch->look_now(); });
  return {};
}

void parts::note_evicted(const cache::evicted_store& gone) {
  long_jobs.post([this] { stores.remove_evicted(); });
  meters.store_evicted();
  auto const idle = std::chrono::duration_cast<std::chrono::seconds>(shared.clock.wall_now() - gone.last_use);
  logs.log_event(log::level::info, "store-evicted",
                 {{"repo", gone.repo},
                  {"bytes", gone.bytes},
                  {"idle_seconds", static_cast<std::uint64_t>(std::max<std::int64_t>(idle.count(), 0))}});
}

void parts::report(const http::exchange& x, const http::request_report& r) {
  logs.log_request(r, x.request().peer);
  meters.request_done(sample_of(shared, r));
}

}  // namespace tankard::proxy::app
