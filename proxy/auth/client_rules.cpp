#include "proxy/auth/client_rules.hpp"

#include <algorithm>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::auth {
namespace {

constexpr mode_t not_to_write =
    002;  // digests of random tokens are no secret, but a line that somebody adds admits him
constexpr std::size_t longest_tokens_file = 4u << 20;

/// The error is the end of a sentence.
boost::system::result<std::vector<config::certificate_name>, std::string> names_of(
    const std::vector<std::string>& texts) {
  std::vector<config::certificate_name> out;
  for (auto const& text : texts) {
    auto parsed = config::parse_certificate_name(text);
    if (!parsed.name) return parsed.problem;
    out.push_back(std::move(*parsed.name));
  }
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
    auto certificates = names_of(c.certificates);
    if (!certificates) return name + ": `certificates` " + certificates.error();
    rule r{.repositories = {c.repositories, u.kind},
           .networks = std::move(*networks),
           .any_network = c.networks.empty(),
           .tokens = nullptr,
           .certificates = std::move(*certificates)};
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

bool client_rules::admits(std::string_view repo_path, const evidence& shown) const {
  return std::any_of(rules_.begin(), rules_.end(), [&](const rule& r) { return admits(r, repo_path, shown); });
}

bool client_rules::take_tokens() const noexcept {
  return std::any_of(rules_.begin(), rules_.end(), [](const rule& r) { return r.tokens != nullptr; });
}

bool client_rules::admits(const rule& r, std::string_view repo_path, const evidence& shown) {
  if (!r.repositories.empty() && !r.repositories.any_matches(repo_path)) return false;
  if (!r.any_network && !r.networks.contains(shown.peer)) return false;
  auto const is_it = [&](const config::certificate_name& wanted) { return is_certificate(*shown.certificate, wanted); };
  bool const certified = shown.certificate && std::any_of(r.certificates.begin(), r.certificates.end(), is_it);
  if (!r.certificates.empty() && !certified) return false;
  if (!r.tokens) return true;
  auto const tokens = r.tokens->value();
  return tokens && shown.token && tokens->holds(*shown.token);
}

void client_rules::reload() noexcept {
  for (auto const& r : rules_)
    if (r.tokens) r.tokens->reload();
}

bool is_certificate(const http::client_certificate& shown, const config::certificate_name& wanted) {
  using enum config::certificate_name::kind;
  auto const is_among = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), wanted.value) != names.end();
  };
  if (wanted.value.empty()) return false;
  switch (wanted.type) {
    case dns:
      return std::any_of(shown.dns.begin(), shown.dns.end(),
                         [&](const std::string& name) { return net::equal_any_case(name, wanted.value); });
    case uri:
      return is_among(shown.uris);
    case email:
      return is_among(shown.emails);
    case common_name:
      return is_among(shown.common_names);
    case subject:
      return shown.subject == wanted.value;
    case sha256:
      return shown.sha256 == wanted.value;
  }
  return false;
}

}  // namespace tankard::proxy::auth
