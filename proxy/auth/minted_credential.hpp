#pragma once
// One credential that a command prints: of an upstream as a whole, or of one repository. Runs the command when it must,
// once for all who wait. Thread-safe; lives in a shared_ptr, which a run under way holds too.

#include <memory>
#include <mutex>
#include <string>

#include "cache/io/async_event.hpp"
#include "cache/io/async_semaphore.hpp"
#include "proxy/auth/command_run.hpp"
#include "proxy/auth/mint_state.hpp"
#include "proxy/auth/service_credential.hpp"

namespace tankard::proxy::auth {

class minted_credential : public std::enable_shared_from_this<minted_credential> {
 public:
  /// `repository` is empty where it is for all. `commands` bounds how many run at a time.
  minted_credential(const credential_of& of, const std::string& repository,
                    std::shared_ptr<cache::async_semaphore> commands);

  /// What is held, or what a run brings; within the command's time-out.
  awaitable<obtained> obtain();
  void refused(const identity& who);
  void renew() noexcept;

 private:
  struct begun {
    mint_state::step step;
    std::shared_ptr<cache::async_event> ended;  // of the run under way
    std::string problem;
  };
  class run_ticket;

  begun begin();
  obtained outcome();
  void end_run(const obtained& made, cache::boot_clock::duration life);
  static awaitable<void> run(std::unique_ptr<run_ticket> ticket);
  void log_failure(const command_report& report, const std::string& cause) const;

  const credential_of of_;
  const command_spec spec_;
  const std::shared_ptr<cache::async_semaphore> commands_;
  std::mutex mu_;
  mint_state state_;                           // guarded by mu_
  std::shared_ptr<cache::async_event> ended_;  // guarded by mu_
};

}  // namespace tankard::proxy::auth
