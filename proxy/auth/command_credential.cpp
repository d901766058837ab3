// A secret that a command prints: one for all repositories, or one for each of the thousand that were asked for last.

#include <mutex>

#include "proxy/auth/minted_credential.hpp"
#include "proxy/auth/recent_credentials.hpp"
#include "proxy/auth/service_credential.hpp"

namespace tankard::proxy::auth {
namespace {

constexpr std::size_t most_proven = 1000, most_on_probation = 64;
constexpr std::size_t proven_at_once = 8, unproven_at_once = 4, commands_waiting = 1000;

class command_credential final : public service_credential {
 public:
  explicit command_credential(credential_of of) : of_(std::move(of)) {}

  awaitable<obtained> obtain(std::string repo_path) override {
    auto const name = of_.settings.per_repository ? std::move(repo_path) : std::string{};
    auto const one = credential_for(name);
    if (!one) co_return of_.sentence("cannot be made: commands run for too many repositories of which none is known");
    auto got = co_await one->obtain();
    if (got) prove(name);
    co_return got;
  }
  void refused(const identity& who) override {
    for (auto const& one : all()) one->refused(who);
  }
  void reload() noexcept override {
    for (auto const& one : all()) one->renew();
  }

 private:
  std::shared_ptr<minted_credential> credential_for(const std::string& repository) {
    std::lock_guard const lock(mu_);
    if (auto known = recent_.find(repository)) return known;
    auto made = std::make_shared<minted_credential>(of_, repository, turns_);
    return recent_.add(repository, made) ? made : nullptr;
  }
  void prove(const std::string& repository) {
    std::lock_guard const lock(mu_);
    recent_.prove(repository);
  }
  std::vector<std::shared_ptr<minted_credential>> all() const {
    std::lock_guard const lock(mu_);
    return recent_.all();
  }

  const credential_of of_;
  const command_turns turns_{cache::async_semaphore::make(proven_at_once, commands_waiting),
                             cache::async_semaphore::make(unproven_at_once, commands_waiting)};
  mutable std::mutex mu_;
  recent_credentials<minted_credential> recent_{most_proven, most_on_probation};  // guarded by mu_
};

}  // namespace

boost::system::result<std::unique_ptr<service_credential>, std::string> make_command_credential(credential_of of) {
  if (auto const problem = program_problem(of.settings.command.front()))
    return of.sentence("cannot be had: its command cannot be run: " + *problem);
  return std::unique_ptr<service_credential>(std::make_unique<command_credential>(std::move(of)));
}

}  // namespace tankard::proxy::auth
