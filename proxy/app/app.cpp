#include "proxy/app/app.hpp"

#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>
#include <csignal>

#include "cache/io/async_event.hpp"
#include "proxy/app/parts.hpp"

namespace tankard::proxy::app {
namespace {

constexpr auto cut_grace = std::chrono::seconds(2);        // for sessions to end once they were cut
constexpr auto background_cap = std::chrono::seconds(10);  // for syncs and flights after the last client has gone

awaitable<void> drain_and_tell(http::server& server, std::chrono::seconds cap,
                               std::shared_ptr<cache::async_event> done) {
  co_await server.drain(cap);
  done->set();
}

/// Lets requests in flight finish within the cap. A handler that waits for something else than its client (an upstream,
/// a sync) ends by its own limits, which may be longer: it is left behind, and goes with its io_context. False says so.
awaitable<bool> drained_within(http::server& server, std::chrono::seconds cap) {
  auto const ex = co_await asio::this_coro::executor;
  auto done = std::make_shared<cache::async_event>();
  asio::co_spawn(ex, drain_and_tell(server, cap, done), asio::detached);
  co_return co_await done->wait(cap + cut_grace);
}

/// The name that the admin listener is asked for by: what was configured or, of a socket of systemd, what it is bound
/// to.
config::endpoint asked_as(const config::endpoint& at, const net::listening_socket& bound) {
  if (at.type != config::endpoint::kind::systemd) return at;
  return {.host = bound.address, .port = bound.port};
}

/// Connections, stores and children need descriptors: as many as the system lets us have, not as many as a shell gives.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);  // where it is refused the old limit stays, which every accept and open can bear
}

}  // namespace

app::app(config::config settings, std::string version)
    : settings_(std::move(settings)), version_(std::move(version)), logs_(settings_.logging) {}

app::~app() = default;

int app::run() {
  std::signal(SIGPIPE, SIG_IGN);  // a client or child that went away is an error value of the write
  std::signal(SIGHUP, SIG_IGN);   // until there is something to reload
  listeners_.emplace(settings_, logs_);
  raise_descriptor_limit();
  auto locked = cache::dir_lock::acquire(settings_.cache_directory);
  if (!locked) {
    fail("cannot use the cache directory", locked.error());
    return 1;
  }
  lock_.emplace(std::move(*locked));
  auto const key = cache::obtain_secret_key(settings_.access.key_file);
  if (!key) {
    fail("cannot use auth.key_file", key.error());
    return 1;
  }
  parts_ = std::make_unique<parts>(settings_, version_, logs_, lock_->fd(), *key);
  parts_->runtime.start();
  bool const served = serve();
  parts_->git.stop_walks();  // nobody waits for them any more, and they may take a minute each
  parts_->runtime.stop();
  parts_->runtime.join();
  parts_->long_jobs.join();
  parts_->pool.join();
  logs_.log_event(log::level::info, "stopped");
  return served ? 0 : 1;
}

void app::fail(std::string_view what, const std::string& cause) const {
  logs_.log_event(log::level::error, "cannot-start", {{"what", what}, {"cause", cause}});
}

bool app::load() {
  auto const listings = parts_->listings.load();
  if (!listings) {
    fail("cannot load the ls-refs cache", settings_.ls_refs_path().string() + ": " + listings.error().message());
    return false;
  }
  auto const stores = parts_->stores.start();
  if (!stores) {
    fail("cannot open the stores", settings_.cache_directory.string() + ": " + stores.error().message());
    return false;
  }
  if (auto const packs = parts_->packs.load(); !packs) {  // without them all is answered, only slower
    auto const cause = settings_.packs_path().string() + ": " + packs.error().message();
    logs_.log_event(log::level::warning, "pack-problem", {{"what", "no packs are kept"}, {"cause", cause}});
  }
  parts_->decisions.load();
  parts_->challenges.load();
  auto const gates = parts_->open_gates();
  if (!gates) {
    fail("cannot use an upstream's credentials or client rules", gates.error());
    return false;
  }
  return true;
}

bool app::load_certificates() {
  auto const loaded = parts_->open_certificates();
  if (!loaded) {
    fail("cannot use the certificate", loaded.error());
    return false;
  }
  if (parts_->certificates) {
    auto const subject = parts_->certificates->subject();
    auto const ends = parts_->certificates->expires();
    auto const expires = iso_time(ends);
    auto const severity = ends < std::chrono::system_clock::now() ? log::level::warning : log::level::info;
    logs_.log_event(severity, "tls-certificate", {{"subject", subject}, {"expires", expires}});
  }
  return true;
}

bool app::listen_admin() {
  auto const& at = settings_.admin_listener.listen;
  auto sockets = listeners_->open(at, settings_.admin_listener.listen_mode);
  if (!sockets) {
    fail("cannot listen", sockets.error());
    return false;
  }
  auto const token = parts_->open_admin(asked_as(at, sockets->front()));
  if (!token) {
    fail("cannot use the admin token file", token.error());
    return false;
  }
  listeners_->warn_of_open_admin(*sockets);
  listeners_->begin(parts_->admin_server, std::move(*sockets), "admin");
  return true;
}

bool app::listen_public() {
  auto plain = listeners_->open(settings_.listen, settings_.front.listen_mode);
  auto secure = listeners_->open(settings_.secure.listen, settings_.front.listen_mode);
  if (!plain || !secure) {
    fail("cannot listen", plain ? secure.error() : plain.error());
    return false;
  }
  listeners_->warn_of_unclaimed();
  listeners_->warn_of_open_credentials(*plain);
  auto const certificates = [this] { return parts_->certificates->context(); };
  listeners_->begin(parts_->public_server, std::move(*plain), "public");
  listeners_->begin(parts_->public_server, std::move(*secure), "public-tls", certificates);
  return true;
}

/// Liveness does not wait for the cache: the admin listener opens first, the public one once the index is loaded.
bool app::serve() {
  if (!load_certificates() || !listen_admin() || !load()) return false;
  auto& context = parts_->runtime.context(0);
  // Before it is ready, and behind load(), which a signal may end. What comes before somebody waits for it is kept.
  hangups_ = std::make_unique<asio::signal_set>(context, SIGHUP);
  stops_ = std::make_unique<asio::signal_set>(context, SIGTERM, SIGINT);
  if (!listen_public()) return false;
  parts_->ready = true;
  auto const home = context.get_executor();
  parts_->background.spawn(home, heed_hangups());
  if (parts_->watch) parts_->background.spawn(home, parts_->watch->run());
  parts_->background.spawn(home, parts_->poller.run());
  parts_->background.spawn(home, parts_->evictor.run());
  if (settings_.maintenance.enabled) parts_->background.spawn(home, parts_->keeper.run());
  auto done = asio::co_spawn(context, until_signal(), asio::use_future);
  done.get();
  return true;
}

awaitable<void> app::heed_hangups() {
  while (true) {
    auto const [ec, number] = co_await hangups_->async_wait(use_nothrow);
    if (ec) co_return;
    logs_.log_event(log::level::info, "reloading", {{"signal", std::uint64_t(number)}});
    for (auto const& reload : parts_->on_reload) reload();
  }
}

awaitable<void> app::until_signal() {
  auto const [ec, number] = co_await stops_->async_wait(use_nothrow);
  logs_.log_event(log::level::info, "draining", {{"signal", std::uint64_t(ec ? 0 : number)}});
  stops_->clear();  // a second signal ends the process at once
  co_await drain();
}

awaitable<void> app::drain() {
  parts_->ready = false;
  parts_->keeper.stop();
  bool const ended = co_await drained_within(parts_->public_server, settings_.time.drain);
  if (!ended) logs_.log_event(log::level::warning, "sessions-cut");
  co_await drained_within(parts_->admin_server, std::chrono::seconds(1));
  hangups_->cancel();
  if (parts_->watch) parts_->watch->stop();
  parts_->poller.stop();
  parts_->evictor.stop();
  bool const quiet = co_await parts_->background.wait_empty(background_cap);
  if (!quiet) {
    auto const running = std::uint64_t{parts_->background.running()};
    logs_.log_event(log::level::warning, "background-work-cut", {{"tasks", running}});
  }
  if (quiet) co_await parts_->keeper.drop_replaced();  // their last readers have gone
  auto save = [this] {
    parts_->stores.empty_trash();
    parts_->stores.save_uses();
    parts_->packs.save();
    parts_->decisions.save();  // what it could not write it has told
    return parts_->listings.save();
  };
  auto const saved = co_await parts_->pool.run(std::move(save));
  if (!saved) {
    auto const cause = saved.error().message();
    logs_.log_event(log::level::error, "save-failed", {{"cause", cause}});
  }
}

}  // namespace tankard::proxy::app
