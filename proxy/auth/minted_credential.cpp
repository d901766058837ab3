#include "proxy/auth/minted_credential.hpp"

#include <boost/asio/this_coro.hpp>

#include "proxy/auth/command_output.hpp"
#include "proxy/auth/secret.hpp"

namespace tankard::proxy::auth {
namespace {

using namespace std::chrono_literals;
using metrics::command_result;

struct minted {
  http::fields header;
  cache::boot_clock::duration life;
};
using minting = boost::system::result<minted, std::string>;

/// The error is the end of a sentence about the command.
minting read_report(const command_report& report, const config::credential& c, cache::wall_point now) {
  if (report.result != command_result::ok) return report.cause;
  auto printed = read_command_output(report.output);
  if (!printed) return printed.error();
  cache::boot_clock::duration life = c.lifetime;
  if (printed->expires_at) {
    // In seconds until the end: years beyond what nanoseconds count would overflow.
    auto const left = *printed->expires_at - std::chrono::floor<std::chrono::seconds>(now);
    if (left <= 0s) return std::string("printed a credential that has expired already");
    life = std::min<std::chrono::seconds>(left, 365 * 24h);
  }
  auto header = header_of(c, printed->user.value_or(c.user), printed->token);
  if (!header) return "printed a credential that " + header.error();
  return minted{std::move(*header), life};
}

}  // namespace

/// Tells the owner how its run ended, also where the run is cut short.
class minted_credential::run_ticket {
 public:
  explicit run_ticket(std::shared_ptr<minted_credential> o) : owner(std::move(o)) {}
  run_ticket(const run_ticket&) = delete;
  run_ticket& operator=(const run_ticket&) = delete;
  ~run_ticket() {
    if (!told_) owner->end_run(owner->of_.sentence("was not made: tankard ends"), {});
  }
  void end(const obtained& made, cache::boot_clock::duration life) {
    told_ = true;
    owner->end_run(made, life);
  }
  const std::shared_ptr<minted_credential> owner;

 private:
  bool told_ = false;
};

minted_credential::minted_credential(const credential_of& of, const std::string& repository, command_turns turns,
                                     std::chrono::milliseconds patience)
    : of_(of), spec_(command_of(of.settings, of.upstream, repository)), turns_(std::move(turns)), patience_(patience) {}

awaitable<obtained> minted_credential::obtain() {
  auto const self = shared_from_this();
  auto const ex = co_await asio::this_coro::executor;
  auto const now = begin();
  if (now.step.run) {
    auto ticket = std::make_unique<run_ticket>(self);
    of_.with.background.spawn(ex, run(std::move(ticket)));
  }
  if (now.step.use) co_return now.step.use;
  if (!now.step.wait) co_return now.problem;
  auto const left = now.wait_until - std::chrono::steady_clock::now();
  if (left > 0s) co_await now.ended->wait(left);
  co_return outcome();
}

void minted_credential::refused(const identity& who) {
  std::lock_guard const lock(mu_);
  state_.refused(who, of_.with.clock.now());
}

void minted_credential::renew() noexcept {
  std::lock_guard const lock(mu_);
  state_.renew();
}

minted_credential::begun minted_credential::begin() {
  std::lock_guard const lock(mu_);
  auto const step = state_.next(of_.with.clock.now());
  if (step.run) {
    ended_ = std::make_shared<cache::async_event>();
    patience_ends_ = std::chrono::steady_clock::now() + patience_;
  }
  return {step, ended_, patience_ends_, state_.problem()};
}

bool minted_credential::running() const {
  std::lock_guard const lock(mu_);
  return state_.running();
}

const std::shared_ptr<cache::async_semaphore>& minted_credential::turn() const {
  std::lock_guard const lock(mu_);
  return proven_ ? turns_.proven : turns_.unproven;
}

/// After a run that was waited for: does not start another one.
obtained minted_credential::outcome() {
  std::lock_guard const lock(mu_);
  if (auto held = state_.held(of_.with.clock.now())) return held;
  return state_.problem().empty() ? of_.sentence("is not there yet: its command runs still") : state_.problem();
}

void minted_credential::end_run(const obtained& made, cache::boot_clock::duration life) {
  std::shared_ptr<cache::async_event> ended;
  {
    std::lock_guard const lock(mu_);
    auto const now = of_.with.clock.now();
    proven_ = proven_ || made.has_value();
    if (made)
      state_.succeeded(*made, life, now);
    else
      state_.failed(made.error(), now);
    ended = ended_;
  }
  ended->set();
}

awaitable<void> minted_credential::run(std::unique_ptr<run_ticket> ticket) {
  auto& self = *ticket->owner;
  auto const& of = self.of_;
  auto const& turn = self.turn();
  auto const permit = co_await turn->acquire(self.spec_.timeout);
  if (!permit) {
    ticket->end(of.sentence("cannot be made: too many credential commands run at once"), {});
    co_return;
  }
  auto report = co_await run_command(self.spec_);
  auto made = read_report(report, of.settings, of.with.clock.wall_now());
  if (!made && report.result == command_result::ok) report.result = command_result::garbage;
  of.with.meters.credential_command_done(of.index, report.result, report.took);
  if (!made) {
    self.log_failure(report, made.error());
    ticket->end(of.sentence("cannot be had: its command " + made.error()), {});
    co_return;
  }
  auto who = std::make_shared<const identity>(identity{of.principal, std::move(made->header), true});
  ticket->end(who, made->life);
}

void minted_credential::log_failure(const command_report& report, const std::string& cause) const {
  of_.with.logs.log_event(log::level::error, "credential-command-failed",
                          {{"upstream", of_.upstream},
                           {"credential", of_.settings.id},
                           {"cause", cause},
                           {"stderr_bytes", report.stderr_bytes},
                           {"seconds", std::chrono::duration<double>(report.took).count()}});
}

}  // namespace tankard::proxy::auth
