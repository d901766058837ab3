#include "proxy/http/request_body.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "proxy/http/headers.hpp"
#include "proxy/http/inflate.hpp"
#include "proxy/net/ascii.hpp"

namespace tankard::proxy::http {
namespace {

namespace bhttp = boost::beast::http;

constexpr std::size_t read_size = 8u << 10;  // inflates to 8 MiB at most, so that one step stays short

/// A string that claims from the budget what it allocates, before it does.
class growing_body {
 public:
  /// `expected`: how long it becomes, as far as the client says.
  growing_body(std::size_t limit, std::size_t expected, body_budget& budget)
      : limit_(limit), expected_(std::min(limit, expected)), claim_(budget) {}

  std::optional<body_error> append(std::string_view part) {
    const std::size_t size = bytes_.size() + part.size();
    if (size > limit_) return body_error::too_large;
    if (!net::reserve_claimed(bytes_, claim_, size, std::max(size, expected_))) return body_error::overloaded;
    bytes_.append(part);
    return std::nullopt;
  }

  held_body release() { return held_body(std::move(bytes_), std::move(claim_)); }

 private:
  std::size_t limit_;
  std::size_t expected_;
  net::memory_claim claim_;
  std::string bytes_;
};

/// Takes a body as it comes, in whichever encoding, into memory.
class collector {
 public:
  collector(bool gzip, std::optional<std::uint64_t> length, std::size_t limit, body_budget& budget)
      : limit_(limit), body_(limit, gzip || !length ? limit : *length, budget) {
    if (gzip) inflater_.emplace();
  }

  std::optional<body_error> take(std::string_view part) {
    received_ += part.size();
    if (received_ > limit_) return body_error::too_large;
    if (!inflater_) return body_.append(part);
    std::optional<body_error> failure;
    const auto sink = [&](std::string_view text) {
      failure = body_.append(text);
      return !failure;
    };
    const auto status = inflater_->feed(part, sink);
    if (status == gzip_inflater::status::corrupt) return body_error::bad_encoding;
    return failure;
  }

  std::size_t received() const noexcept { return received_; }
  /// False where the encoding says that something is missing.
  bool whole() const noexcept { return !inflater_ || inflater_->done(); }
  held_body release() { return body_.release(); }

 private:
  std::size_t limit_;
  std::size_t received_ = 0;
  std::optional<gzip_inflater> inflater_;
  growing_body body_;
};

body_error to_body_error(error_code ec) {
  if (ec == asio::error::timed_out) return body_error::too_slow;
  const bool of_framing = ec.category() == bhttp::make_error_code(bhttp::error::bad_chunk).category();
  return of_framing && ec != bhttp::error::partial_message ? body_error::bad_encoding : body_error::connection;
}

enum class encoding : std::uint8_t { identity, gzip, other };

encoding encoding_of(const fields& headers) {
  const auto count = count_of(headers, bhttp::field::content_encoding);
  if (count == 0) return encoding::identity;
  if (count > 1) return encoding::other;
  const std::string_view name = value_of(headers, bhttp::field::content_encoding);
  if (name.empty() || net::equal_any_case(name, "identity")) return encoding::identity;
  return net::equal_any_case(name, "gzip") || net::equal_any_case(name, "x-gzip") ? encoding::gzip : encoding::other;
}

}  // namespace

awaitable<body_result<held_body>> read_whole_body(exchange& x, body_limits limits, body_budget& budget) {
  const encoding coding = encoding_of(x.request().headers);
  if (coding == encoding::other) co_return body_error::bad_encoding;
  if (x.request().content_length.value_or(0) > limits.max_bytes) co_return body_error::too_large;
  const auto until = std::chrono::steady_clock::now() + limits.total;
  x.end_body_by(until);
  const auto length = x.request().content_length;
  collector body(coding == encoding::gzip, length, limits.max_bytes, budget);
  const std::size_t part_size = std::min<std::uint64_t>(read_size, length.value_or(read_size) + 1);
  const auto part = std::make_unique_for_overwrite<char[]>(part_size);
  while (true) {
    const auto got = co_await x.read_body(asio::buffer(part.get(), part_size));
    if (!got) co_return to_body_error(got.error());
    if (*got == 0) break;
    if (const auto failure = body.take(std::string_view(part.get(), *got))) co_return *failure;
    if (length && body.received() == *length) break;
    if (std::chrono::steady_clock::now() >= until) co_return body_error::too_slow;
  }
  if (!body.whole()) co_return body_error::bad_encoding;
  co_return body.release();
}

}  // namespace tankard::proxy::http
