#include "proxy/auth/service_gate.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "proxy/auth/client_rules.hpp"
#include "proxy/auth/service_credential.hpp"

namespace tankard::proxy::auth {
namespace {

using made_gate = boost::system::result<std::unique_ptr<gate>, std::string>;

constexpr const char* not_admitted = "tankard: this client is not admitted here";

struct known_credential {
  config::repository_globs repositories;
  std::string principal;
  std::unique_ptr<service_credential> source;
};

/// Says nothing of the repository, not even whether any rule names it.
admittance refuse(bool tokens_are_taken) {
  refusal r;
  r.sentence = not_admitted;
  if (tokens_are_taken) {
    r.status = 401;
    r.challenge = "Basic realm=\"tankard\"";
  }
  return {.who = nullptr, .refused = std::move(r), .unusable = std::nullopt};
}

class service_gate final : public gate {
 public:
  service_gate(std::unique_ptr<client_rules> rules, std::vector<known_credential> credentials,
               cache::blocking_pool& pool)
      : rules_(std::move(rules)), credentials_(std::move(credentials)), pool_(pool) {}

  awaitable<admittance> admit(const http::request_head& request, std::string_view repo_path) override {
    co_await rules_->refresh_files(pool_);
    auto const shown = evidence_of(request);
    bool const admitted = rules_->admits(repo_path, shown);
    auto const* const credential = admitted ? credential_for(repo_path) : nullptr;
    if (credential == nullptr) co_return refuse(rules_->take_tokens());
    std::string path(repo_path);
    auto const got = co_await credential->source->obtain(std::move(path));
    admittance out;
    if (got) {
      out.who = *got;
    } else {
      out.who = std::make_shared<const identity>(identity{credential->principal, {}, true});
      out.unusable = got.error();
    }
    co_return out;
  }

  void refused_by_upstream(const identity& who) override {
    for (auto const& c : credentials_)
      if (c.principal == who.principal) c.source->refused(who);
  }

  void reload() override {
    rules_->reload();
    for (auto const& c : credentials_) c.source->reload();
  }

 private:
  /// The first that fits, in the order of the configuration.
  const known_credential* credential_for(std::string_view repo_path) const {
    auto const fits = [&](const known_credential& c) {
      return c.repositories.empty() || c.repositories.any_matches(repo_path);
    };
    auto const it = std::find_if(credentials_.begin(), credentials_.end(), fits);
    return it == credentials_.end() ? nullptr : &*it;
  }

  const std::unique_ptr<client_rules> rules_;
  const std::vector<known_credential> credentials_;
  cache::blocking_pool& pool_;
};

/// Does not depend on the secret: a credential that is made anew is the same principal.
std::string principal_of(const cache::secret_key& key, const std::string& upstream, const std::string& id) {
  using namespace std::string_literals;
  return cache::keyed_digest_hex(key, "service\0"s + upstream + "\0"s + id);
}

}  // namespace

made_gate make_service_gate(const config::upstream& u, std::size_t index, const gate_parts& with) {
  auto rules = client_rules::make(u, with.clock, with.logs);
  if (!rules) return rules.error();
  std::vector<known_credential> credentials;
  for (auto const& c : u.credentials) {
    auto principal = principal_of(with.key, u.name, c.id);
    credential_of of{.settings = c, .upstream = u.name, .index = index, .principal = principal, .with = with};
    auto made = c.command.empty() ? make_file_credential(std::move(of)) : make_command_credential(std::move(of));
    if (!made) return made.error();
    credentials.push_back({{c.repositories, u.kind}, std::move(principal), std::move(*made)});
  }
  return std::unique_ptr<gate>(std::make_unique<service_gate>(std::move(*rules), std::move(credentials), with.pool));
}

}  // namespace tankard::proxy::auth
