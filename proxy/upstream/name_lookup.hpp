#pragma once
// One name resolved for many at a time, with a limit on the wait: getaddrinfo knows none, and Asio has one thread per
// io_context for it, so a second question for the same name waits for the first instead of queueing behind it.
// Lives on one executor.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proxy/net/asio.hpp"

namespace tankard::proxy::upstream {

class name_lookup {
 public:
  /// `host` may be an address; then nothing is asked.
  name_lookup(std::string host, std::uint16_t port) : host_(std::move(host)), port_(port) {}

  struct answer {
    error_code error;  ///< timed_out: nobody answered in time
    std::vector<asio::ip::tcp::endpoint> endpoints;
  };
  awaitable<answer> resolve(std::chrono::steady_clock::time_point until);

 private:
  struct question;
  std::shared_ptr<question> ask(const asio::any_io_executor& ex);

  std::string host_;
  std::uint16_t port_;
  std::weak_ptr<question> asked_;  // under way; owned by its own completion
};

}  // namespace tankard::proxy::upstream
