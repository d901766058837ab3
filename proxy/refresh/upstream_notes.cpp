#include "proxy/refresh/upstream_notes.hpp"

#include <array>

namespace tankard::proxy::refresh {
namespace {

constexpr std::array<std::string_view, ask_result_count> words{"ok",     "denied",       "redirect", "other",
                                                               "outage", "rate_limited", "client"};

ask_result result_of(upstream::verdict v) noexcept {
  switch (v) {
    case upstream::verdict::ok:
      return ask_result::ok;
    case upstream::verdict::denial:
      return ask_result::denied;
    case upstream::verdict::redirect:
      return ask_result::redirect;
    case upstream::verdict::other:
      return ask_result::other;
    case upstream::verdict::outage:
      return ask_result::outage;
    case upstream::verdict::limited:
      return ask_result::rate_limited;
  }
  return ask_result::other;
}

ask_result result_of(upstream::failure_class c) noexcept {
  switch (c) {
    case upstream::failure_class::client:
      return ask_result::client;
    case upstream::failure_class::rate_limited:
      return ask_result::rate_limited;
    case upstream::failure_class::locked:
    case upstream::failure_class::locked_here:
      return ask_result::denied;
    case upstream::failure_class::host_outage:
    case upstream::failure_class::repo_outage:
      break;
  }
  return ask_result::outage;
}

void count(services& s, const repo_ref& repo, operation op, ask_result r, std::chrono::nanoseconds took) {
  s.meters.upstream_done(repo.site.index, static_cast<std::size_t>(op), static_cast<std::size_t>(r), took);
}

}  // namespace

std::string_view to_string(ask_result r) noexcept { return words[static_cast<std::size_t>(r)]; }

void note_failure(services& s, const repo_ref& repo, operation op, const std::string& credential,
                  const upstream::failure& f, std::chrono::nanoseconds took) {
  // A broken LFS store or push hook says nothing of whether the repository can be fetched.
  bool const of_fetching = op == operation::info_refs || op == operation::ls_refs || op == operation::fetch;
  if (of_fetching || f.cls != upstream::failure_class::repo_outage)
    repo.site.health.on_failure(repo.key.path, credential, f);
  count(s, repo, op, result_of(f.cls), took);
}

void note_answer(services& s, const repo_ref& repo, operation op, const std::string& credential,
                 const upstream::response_head& head, const upstream::classified& meaning,
                 std::chrono::nanoseconds took) {
  bool const away = meaning.what == upstream::verdict::outage || meaning.what == upstream::verdict::limited;
  if (away) {
    note_failure(s, repo, op, credential, upstream::to_failure(meaning, head), took);
    return;
  }
  repo.site.health.on_success(repo.key.path, credential);
  count(s, repo, op, result_of(meaning.what), took);
}

void note_lagging(const services& s, const cache::repo_key& key) {
  s.logs.log_event(log::level::info, "listing-lags", {{"repo", key.text()}});
}

void note_keep_failed(const services& s, const cache::repo_key& key, std::string_view cause) {
  s.logs.log_event(log::level::warning, "keep-failed", {{"repo", key.text()}, {"cause", cause}});
}

}  // namespace tankard::proxy::refresh
