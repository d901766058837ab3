#pragma once
// The challenge that each upstream last gave to a request without a credential, so that in an outage a client is asked
// for its credential as upstream would ask (DESIGN 7). Small files, one per upstream, written atomically when the
// challenge changes. Thread-safe. Blocking calls are marked.

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace tankard::cache {

class challenge_book {
 public:
  static constexpr std::size_t max_challenges = 8;  ///< WWW-Authenticate lines per upstream
  static constexpr std::size_t max_bytes = 4096;    ///< of all of them; a longer answer is not remembered
  using problem_sink = std::function<void(const std::string& what, const std::string& cause)>;

  challenge_book(std::filesystem::path folder, problem_sink problems);

  /// Blocking, once. A file that is damaged or too long is ignored and told.
  void load();
  /// WWW-Authenticate lines, in order; empty where the upstream never asked for a credential.
  std::vector<std::string> of(const std::string& upstream) const;
  /// Blocking where they differ from what is known, else cheap. Lines with control characters are dropped.
  void remember(const std::string& upstream, std::vector<std::string> lines);

 private:
  std::filesystem::path file_of(const std::string& upstream) const;

  const std::filesystem::path folder_;
  const problem_sink problems_;
  mutable std::mutex mu_;
  std::map<std::string, std::vector<std::string>> known_;  // guarded by mu_; bounded by the configured upstreams
};

}  // namespace tankard::cache
