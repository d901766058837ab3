#pragma once
// Which clients an upstream in service mode admits. Every criterion that a rule names must hold; rules are
// alternatives; no rule = nobody. Thread-safe.

#include <boost/system/result.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/auth/evidence.hpp"
#include "proxy/auth/tokens_file.hpp"
#include "proxy/auth/watched_file.hpp"
#include "proxy/config/certificate_name.hpp"
#include "proxy/config/config.hpp"
#include "proxy/config/glob.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/address_ranges.hpp"

namespace tankard::proxy::auth {

class client_rules {
 public:
  using made = boost::system::result<std::unique_ptr<client_rules>, std::string>;
  /// Blocking: reads the tokens files. The error is a sentence.
  static made make(const config::upstream& u, const cache::clock& clock, const log::logger& logs);

  /// Before judge(): follows changes of the tokens files.
  awaitable<void> refresh_files(cache::blocking_pool& pool);
  /// By what is known now; no I/O.
  bool admits(std::string_view repo_path, const evidence& shown) const;
  /// Some rule of them, whatever it is for: who is refused may be asked for a token.
  bool take_tokens() const noexcept;
  void reload() noexcept;

 private:
  struct rule {
    config::repository_globs repositories;
    net::address_ranges networks;
    bool any_network = true;
    std::shared_ptr<watched_file<token_list>> tokens;  // null: none is needed
    std::vector<config::certificate_name> certificates;
  };
  static bool admits(const rule& r, std::string_view repo_path, const evidence& shown);
  std::vector<rule> rules_;
};

/// A name of one kind is never taken for one of another. Of DNS names the case does not matter. Pure.
bool is_certificate(const http::client_certificate& shown, const config::certificate_name& wanted);

}  // namespace tankard::proxy::auth
