#pragma once
// Git children of the store: how they are started within limits, watched for progress, and their end put into a
// sentence.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cache/store/store_ingest.hpp"

namespace tankard::cache {

/// The `-c` options that keep git's own caches, windows and threads well within an address space of `max_memory` bytes.
std::vector<std::string> git_limit_options(std::size_t max_memory, int threads);

/// `git <limits> <arguments>` with the house's environment and `environment` added.
spawn_options git_command(const ingest_limits& limits, int threads, std::vector<std::string> arguments,
                          std::vector<std::string> environment);

/// That git reads this folder of objects too.
std::string alternate_environment(const std::filesystem::path& objects);
/// GIT_DIR of a repository; and, where `staged_objects` is given, new objects going there with the repository's as
/// alternates.
std::vector<std::string> repository_environment(const std::filesystem::path& folder,
                                                const std::filesystem::path& staged_objects);

inline constexpr std::size_t max_child_output = 64u << 10;

/// A child that is killed when it makes no progress for a while: no byte moved by us, no CPU time used by it. Waiting
/// for the network does not count: the clock runs only inside the calls. Lives on one executor.
class watched_child {
 public:
  static ingest_result<std::unique_ptr<watched_child>> spawn(asio::any_io_executor ex, const spawn_options& options,
                                                             std::chrono::seconds stall);
  ~watched_child();
  awaitable<ingest_result<void>> write(std::string_view bytes);
  /// Closes stdin, drops stdout (or puts it into `output`), and waits for the end. An exit other than 0 is an error.
  /// Meant for children that print a line or so: what is more than max_child_output is dropped.
  awaitable<ingest_result<void>> finish(std::string* output = nullptr);
  void kill() noexcept;  ///< finish() comes to its end then, with an error
  exit_status status() const noexcept { return status_; }

 private:
  struct watch;
  watched_child(std::unique_ptr<subprocess> child, std::shared_ptr<watch> w, std::string name);
  std::string failure() const;
  std::unique_ptr<subprocess> child_;
  std::shared_ptr<watch> watch_;
  std::string name_;  ///< "git index-pack"
  exit_status status_;
};

}  // namespace tankard::cache
