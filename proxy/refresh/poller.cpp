#include "proxy/refresh/poller.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/http/target.hpp"
#include "proxy/refresh/access_notes.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::refresh {
namespace {

constexpr auto tick = std::chrono::milliseconds(250);
constexpr upstream::ask_limits probe_limits{.max_body = 1u << 20, .total = std::chrono::seconds(10)};

std::optional<upstream::failure> failure_of(const upstream::outcome_of<upstream::whole_answer>& answer) {
  if (!answer) return answer.error();
  bool const away =
      answer->meaning.what == upstream::verdict::outage || answer->meaning.what == upstream::verdict::limited;
  return away ? std::optional(upstream::to_failure(answer->meaning, answer->head)) : std::nullopt;
}

}  // namespace

awaitable<void> poller::run() {
  auto const ex = co_await asio::this_coro::executor;
  asio::steady_timer timer(ex);
  while (!stopping_) {
    for (auto& site : s_.upstreams) {
      for (auto& repo : site->health.due_probes()) s_.background.spawn(ex, probe(*site, std::move(repo)));
    }
    for (auto const& job : s_.pushes.due(s_.clock.now())) job();
    timer.expires_after(tick);
    co_await timer.async_wait(use_nothrow);
  }
}

awaitable<void> poller::probe(upstream_site& site, std::string repo) {
  if (repo.empty()) co_return co_await probe_host(site);
  co_await probe_repository(site, std::move(repo));
}

/// An answer below 500 shows that the host is there. One whose front page is broken is asked for the repository that it
/// last served: that is what clients want of it.
awaitable<void> poller::probe_host(upstream_site& site) {
  upstream::request request{.method = http::verb::head,
                            .method_name = "HEAD",
                            .target = http::encode_path(site.settings.base_path + "/"),
                            .headers = probe_headers()};
  auto const answer = co_await upstream::ask(site.client, std::move(request), {}, probe_limits, s_.bodies);
  auto failed = failure_of(answer);
  auto const last = site.health.report().last_repository;
  if (failed && answer && last) failed = co_await ask_repository({site, {site.settings.name, *last}});
  site.health.on_probe({}, std::move(failed));
}

awaitable<void> poller::probe_repository(upstream_site& site, std::string repo) {
  auto failed = co_await ask_repository({site, {site.settings.name, repo}});
  site.health.on_probe(repo, std::move(failed));
}

/// A repository is back when its advertisement is not an outage any more. A 401 or 404 is a healthy answer, and ends
/// what was known of it as public.
awaitable<std::optional<upstream::failure>> poller::ask_repository(repo_ref repo) {
  auto headers = probe_headers();
  headers.set("Git-Protocol", "version=2");
  upstream::request request{.method = http::verb::get,
                            .method_name = "GET",
                            .target = repo.target("/info/refs", "service=git-upload-pack"),
                            .headers = std::move(headers)};
  auto const answer = co_await upstream::ask(repo.site.client, std::move(request), http::upload_pack_advertisement_type,
                                             probe_limits, s_.bodies);
  if (answer && answer->meaning.what == upstream::verdict::denial) {
    auto end = [this, &repo] { end_publicness(s_, repo); };
    co_await s_.pool.run(std::move(end));
  }
  co_return failure_of(answer);
}

http::fields poller::probe_headers() const {
  http::fields headers;
  headers.set("User-Agent", s_.git_agent);
  headers.set("Accept-Encoding", "identity");
  http::add_tracing(headers, http::make_request_id());
  return headers;
}

}  // namespace tankard::proxy::refresh
