#pragma once
// Which clients an upstream in service mode admits. Every criterion that a rule names must hold; rules are
// alternatives; no rule = nobody. Thread-safe.

#include <boost/system/result.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/auth/evidence.hpp"
#include "proxy/auth/tokens_file.hpp"
#include "proxy/auth/watched_file.hpp"
#include "proxy/config/config.hpp"
#include "proxy/config/glob.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/address_ranges.hpp"

namespace tankard::proxy::auth {

enum class verdict : std::uint8_t {
  admitted,
  token_wanted,  ///< but for a token, which the client did not send or sent a wrong one, a rule would admit it
  refused,
};

class client_rules {
 public:
  using made = boost::system::result<std::unique_ptr<client_rules>, std::string>;
  /// Blocking: reads the tokens files. The error is a sentence.
  static made make(const config::upstream& u, const cache::clock& clock, const log::logger& logs);

  /// Before judge(): follows changes of the tokens files.
  awaitable<void> refresh_files(cache::blocking_pool& pool);
  /// By what is known now; no I/O.
  verdict judge(std::string_view repo_path, const evidence& shown) const;
  void reload() noexcept;

 private:
  struct rule {
    config::repository_globs repositories;
    net::address_ranges networks;
    bool any_network = true;
    std::shared_ptr<watched_file<token_list>> tokens;  // null: none is needed
    std::vector<std::string> certificates;
  };
  static verdict judge(const rule& r, std::string_view repo_path, const evidence& shown);
  std::vector<rule> rules_;
};

/// `wanted` as configured: one of the names, the subject, or sha256:<fingerprint>. Pure.
bool is_certificate(const http::client_certificate& shown, std::string_view wanted);

}  // namespace tankard::proxy::auth
