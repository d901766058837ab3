#pragma once
// The challenge that each upstream last gave to a request without a credential, so that in an outage a client is asked
// for its credential as upstream would ask (DESIGN 7). Small files, one per upstream, written atomically when the
// challenge changes. A challenge that could not be written is still known, and written later. Thread-safe. Blocking
// calls are marked.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/system/result.hpp>

namespace tankard::cache {

class challenge_book {
 public:
  static constexpr std::size_t max_challenges = 8;  ///< WWW-Authenticate lines per upstream
  static constexpr std::size_t max_bytes = 4096;    ///< of all of them; a longer answer is not remembered
  static constexpr std::size_t max_upstreams = 1024;
  static constexpr std::chrono::minutes retry_after{1};  ///< between attempts to write where they fail
  using problem_sink = std::function<void(const std::string& what, const std::string& cause)>;

  challenge_book(std::filesystem::path folder, problem_sink problems);

  /// Blocking, once, before the rest. REQUIRES: nobody else uses the folder. A file that is damaged or too long is
  /// ignored and told.
  void load();
  /// WWW-Authenticate lines, in order; empty where the upstream never asked for a credential.
  std::vector<std::string> of(const std::string& upstream) const;
  /// Blocking where they differ from what is known, else cheap. Lines with control characters are dropped; where no
  /// line is left nothing was learned.
  void remember(const std::string& upstream, std::vector<std::string> lines);

 private:
  using steady = std::chrono::steady_clock;
  struct challenge {
    std::vector<std::string> lines;
    bool on_disk = false;
    steady::time_point retry_at{};
  };

  std::filesystem::path file_of(const std::string& upstream) const;
  void load_one(const std::filesystem::path& file);
  void write(const std::string& upstream);
  boost::system::result<void> put(const std::filesystem::path& file, std::string_view text) const;
  void tell(const std::string& what, const std::string& cause) const;

  const std::filesystem::path folder_;
  const problem_sink problems_;
  std::mutex writing_;  // taken before mu_, so that of two changes the later one is what stays on disk
  mutable std::mutex mu_;
  std::map<std::string, challenge> known_;  // guarded by mu_
};

}  // namespace tankard::cache
