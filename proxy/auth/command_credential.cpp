// A secret that a command prints: one for all repositories, or one for each of the thousand that were asked for last.

#include <list>
#include <unordered_map>

#include "proxy/auth/minted_credential.hpp"
#include "proxy/auth/service_credential.hpp"

namespace tankard::proxy::auth {
namespace {

constexpr std::size_t most_repositories = 1000;
constexpr std::size_t commands_at_once = 8, commands_waiting = 1000;

/// The credentials by repository, the longest unused forgotten first. Not thread-safe.
class recent_credentials {
 public:
  using value = std::shared_ptr<minted_credential>;

  /// Null where it is not there.
  value find(const std::string& repository) {
    auto const it = index_.find(repository);
    if (it == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    return it->second->second;
  }
  void add(const std::string& repository, value v) {
    order_.emplace_front(repository, std::move(v));
    index_[repository] = order_.begin();
    if (order_.size() <= most_repositories) return;
    index_.erase(order_.back().first);
    order_.pop_back();
  }
  std::vector<value> all() const {
    std::vector<value> out;
    for (auto const& [_, v] : order_) out.push_back(v);
    return out;
  }

 private:
  using entry = std::pair<std::string, value>;
  std::list<entry> order_;
  std::unordered_map<std::string, std::list<entry>::iterator> index_;
};

class command_credential final : public service_credential {
 public:
  explicit command_credential(credential_of of) : of_(std::move(of)) {}

  awaitable<obtained> obtain(std::string repo_path) override {
    auto const one = credential_for(of_.settings.per_repository ? repo_path : std::string{});
    co_return co_await one->obtain();
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
    auto made = std::make_shared<minted_credential>(of_, repository, commands_);
    recent_.add(repository, made);
    return made;
  }
  std::vector<std::shared_ptr<minted_credential>> all() const {
    std::lock_guard const lock(mu_);
    return recent_.all();
  }

  const credential_of of_;
  const std::shared_ptr<cache::async_semaphore> commands_ =
      cache::async_semaphore::make(commands_at_once, commands_waiting);
  mutable std::mutex mu_;
  recent_credentials recent_;  // guarded by mu_
};

}  // namespace

boost::system::result<std::unique_ptr<service_credential>, std::string> make_command_credential(credential_of of) {
  if (auto const problem = program_problem(of.settings.command.front()))
    return of.sentence("cannot be had: its command cannot be run: " + *problem);
  return std::unique_ptr<service_credential>(std::make_unique<command_credential>(std::move(of)));
}

}  // namespace tankard::proxy::auth
