#pragma once
// A whole request body in memory, inflated where it came gzip-encoded (git does that above 1 KiB).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "proxy/http/exchange.hpp"
#include "proxy/net/memory_budget.hpp"

namespace tankard::proxy::http {

enum class body_error : std::uint8_t {
  too_large,     ///< more than the limit, before or after inflating -> 413
  bad_encoding,  ///< not valid gzip, or an encoding other than gzip/identity -> 400 / 415
  too_slow,      ///< the whole took longer than the time limit -> 408
  connection,    ///< the client went away
  overloaded,    ///< the memory budget for bodies is used up -> 503
};

template <class T>
using body_result = boost::system::result<T, body_error>;

/// Request bodies that may be in memory at one time, over all clients.
using body_budget = net::memory_budget;

/// A body and its claim on the budget, given back when it goes. Movable.
class held_body {
 public:
  held_body() = default;
  held_body(std::string bytes, net::memory_claim claim) noexcept : claim_(std::move(claim)), bytes_(std::move(bytes)) {}
  const std::string& bytes() const noexcept { return bytes_; }

 private:
  net::memory_claim claim_;
  std::string bytes_;
};

struct body_limits {
  std::size_t max_bytes = 64u << 20;         ///< inflated
  std::chrono::milliseconds total{120'000};  ///< for the whole body
};

/// Reads, inflates and bounds. A gzip bomb costs no more memory than the limit.
awaitable<body_result<held_body>> read_whole_body(exchange& x, body_limits limits, body_budget& budget);

}  // namespace tankard::proxy::http
