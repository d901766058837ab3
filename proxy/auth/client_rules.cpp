#include "proxy/auth/client_rules.hpp"

#include <algorithm>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::auth {
namespace {

constexpr mode_t not_to_write =
    002;  // digests of random tokens are no secret, but a line that somebody adds admits him
constexpr std::size_t longest_tokens_file = 4u << 20;
constexpr std::string_view fingerprint_prefix = "sha256:";

std::string without_colons(std::string_view text) {
  std::string out(text);
  std::erase(out, ':');
  return out;
}

watched_file<token_list>::listener logging(const log::logger& logs, const std::string& upstream,
                                           const std::string& rule) {
  return [&logs, upstream, rule](const std::string& problem) {
    if (problem.empty())
      logs.log_event(log::level::info, "tokens-file-read", {{"upstream", upstream}, {"client", rule}});
    else
      logs.log_event(log::level::error, "tokens-file-unusable",
                     {{"upstream", upstream}, {"client", rule}, {"cause", problem}});
  };
}

}  // namespace

client_rules::made client_rules::make(const config::upstream& u, const cache::clock& clock, const log::logger& logs) {
  auto out = std::make_unique<client_rules>();
  for (auto const& c : u.clients) {
    auto const name = "client rule `" + c.id + "` of upstream `" + u.name + "`";
    auto networks = net::address_ranges::parse(c.networks);
    if (!networks) return name + ": `networks` " + networks.error();
    rule r{.repositories = {c.repositories, u.kind},
           .networks = std::move(*networks),
           .any_network = c.networks.empty(),
           .tokens = nullptr,
           .certificates = c.certificates};
    if (!c.tokens_file.empty()) {
      r.tokens = std::make_shared<watched_file<token_list>>(
          file_guard{.file = c.tokens_file, .forbidden = not_to_write, .longest = longest_tokens_file},
          &token_list::parse, clock, logging(logs, u.name, c.id));
      if (auto const loaded = r.tokens->load(); !loaded) return name + ": " + loaded.error();
    }
    // The configuration refuses such a rule already; here it would open the house.
    if (!c.names_criterion()) return name + " names no criterion";
    out->rules_.push_back(std::move(r));
  }
  return out;
}

awaitable<void> client_rules::refresh_files(cache::blocking_pool& pool) {
  for (auto const& r : rules_) {
    if (r.tokens) co_await refresh(r.tokens, pool);
  }
}

verdict client_rules::judge(std::string_view repo_path, const evidence& shown) const {
  auto out = verdict::refused;
  for (auto const& r : rules_) {
    auto const v = judge(r, repo_path, shown);
    if (v == verdict::admitted) return v;
    if (v == verdict::token_wanted) out = v;
  }
  return out;
}

verdict client_rules::judge(const rule& r, std::string_view repo_path, const evidence& shown) {
  if (!r.repositories.empty() && !r.repositories.any_matches(repo_path)) return verdict::refused;
  if (!r.any_network && !r.networks.contains(shown.peer)) return verdict::refused;
  auto const is_it = [&](const std::string& wanted) { return is_certificate(*shown.certificate, wanted); };
  bool const certified = shown.certificate && std::any_of(r.certificates.begin(), r.certificates.end(), is_it);
  if (!r.certificates.empty() && !certified) return verdict::refused;
  if (!r.tokens) return verdict::admitted;
  auto const tokens = r.tokens->value();
  return tokens && shown.token && tokens->holds(*shown.token) ? verdict::admitted : verdict::token_wanted;
}

void client_rules::reload() noexcept {
  for (auto const& r : rules_)
    if (r.tokens) r.tokens->reload();
}

bool is_certificate(const http::client_certificate& shown, std::string_view wanted) {
  if (wanted.starts_with(fingerprint_prefix)) {
    auto const fingerprint = without_colons(wanted.substr(fingerprint_prefix.size()));
    return !fingerprint.empty() && net::equal_any_case(without_colons(shown.sha256), fingerprint);
  }
  if (wanted.empty()) return false;
  return wanted == shown.subject || std::find(shown.names.begin(), shown.names.end(), wanted) != shown.names.end();
}

}  // namespace tankard::proxy::auth
