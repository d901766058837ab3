#pragma once
// One credential that a command prints: of an upstream as a whole, or of one repository. Runs the command when it must,
// once for all who wait. Thread-safe; lives in a shared_ptr, which a run under way holds too.

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "cache/io/async_event.hpp"
#include "cache/io/async_semaphore.hpp"
#include "proxy/auth/command_run.hpp"
#include "proxy/auth/mint_state.hpp"
#include "proxy/auth/service_credential.hpp"

namespace tankard::proxy::auth {

/// How many commands run at a time. Names for which none ever succeeded may be anybody's invention: they have turns of
/// their own, and do not keep the others waiting.
struct command_turns {
  std::shared_ptr<cache::async_semaphore> proven, unproven;
};

class minted_credential : public std::enable_shared_from_this<minted_credential> {
 public:
  /// Longer nobody waits for a run, which goes on behind him.
  static constexpr std::chrono::milliseconds usual_patience{5000};

  /// `repository` is empty where it is for all.
  minted_credential(const credential_of& of, const std::string& repository, command_turns turns,
                    std::chrono::milliseconds patience = usual_patience);

  /// What is held, or what a run brings within the patience; the problem at once where the last run failed.
  awaitable<obtained> obtain();
  bool running() const;  ///< a command is under way, or waits for its turn
  void refused(const identity& who);
  void renew() noexcept;

 private:
  struct begun {
    mint_state::step step;
    std::shared_ptr<cache::async_event> ended;  // of the run under way
    std::chrono::steady_clock::time_point wait_until;
    std::string problem;
  };
  class run_ticket;

  begun begin();
  const std::shared_ptr<cache::async_semaphore>& turn() const;
  obtained outcome();
  void end_run(const obtained& made, cache::boot_clock::duration life);
  static awaitable<void> run(std::unique_ptr<run_ticket> ticket);
  void log_failure(const command_report& report, const std::string& cause) const;

  const credential_of of_;
  const command_spec spec_;
  const command_turns turns_;
  const std::chrono::milliseconds patience_;
  mutable std::mutex mu_;
  mint_state state_;                                       // guarded by mu_
  std::shared_ptr<cache::async_event> ended_;              // guarded by mu_
  std::chrono::steady_clock::time_point patience_ends_{};  // guarded by mu_; of the run under way
  bool proven_ = false;                                    // guarded by mu_
};

}  // namespace tankard::proxy::auth
