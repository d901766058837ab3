#include "proxy/http/session.hpp"

#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "proxy/http/connection.hpp"
#include "proxy/http/connection_setup.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/http/server_exchange.hpp"

namespace tankard::proxy::http {
namespace {

namespace bhttp = boost::beast::http;

constexpr std::size_t head_read_size = 4096;
constexpr std::size_t max_detail = 200;

/// How the reading of a head ended.
enum class head_end : std::uint8_t {
  whole,
  closed,     ///< no byte of a request came: nothing to answer, nothing to report
  gone,       ///< the client went away in the middle
  too_slow,   ///< 408
  too_large,  ///< 431
  malformed,  ///< 400
};

struct refusal {
  unsigned status;
  reason why;
  std::string_view sentence;
};

constexpr refusal refusal_of(head_end end) noexcept {
  switch (end) {
    case head_end::too_slow:
      return {408, reason::slow_client, "the request head did not arrive in time"};
    case head_end::too_large:
      return {431, reason::too_large, "the request head is too large"};
    default:
      return {400, reason::malformed, "this is not a valid HTTP request"};
  }
}

/// Counts a request for as long as it is in flight.
struct in_flight_mark {
  explicit in_flight_mark(std::atomic<std::size_t>& c) : count(c) { count.fetch_add(1, std::memory_order_relaxed); }
  ~in_flight_mark() { count.fetch_sub(1, std::memory_order_relaxed); }
  in_flight_mark(const in_flight_mark&) = delete;
  in_flight_mark& operator=(const in_flight_mark&) = delete;
  std::atomic<std::size_t>& count;
};

/// Empty lines before a request line are ignored (RFC 9112, 2.2).
void skip_empty_lines(boost::beast::flat_buffer& input) {
  while (input.size() >= 2) {
    const char* text = static_cast<const char*>(input.data().data());
    if (text[0] != '\r' || text[1] != '\n') return;
    input.consume(2);
  }
}

/// Gives the buffered input to the parser. `closed` means that more is needed.
head_end parse_head(connection& client, request_parser& parser, bool& begun) {
  auto& input = client.input();
  if (!begun) skip_empty_lines(input);
  if (input.size() == 0) return head_end::closed;
  if (input.size() == 1 && !begun && *static_cast<const char*>(input.data().data()) == '\r') return head_end::closed;
  begun = true;
  error_code ec;
  input.consume(parser.put(input.data(), ec));
  if (parser.is_header_done()) return head_end::whole;
  if (ec == bhttp::error::need_more) return head_end::closed;
  if (!ec) return head_end::closed;
  return ec == bhttp::error::header_limit ? head_end::too_large : head_end::malformed;
}

/// Reads on until the head has ended, in one way or another. The limit on the whole head is armed.
awaitable<head_end> read_rest_of_head(connection& client, request_parser& parser, bool begun, std::size_t most) {
  for (;;) {
    if (client.input().size() > most) co_return head_end::too_large;
    const error_code ec = co_await client.read_more(head_read_size);
    if (ec && !begun) co_return head_end::closed;
    if (ec) co_return ec == asio::error::timed_out ? head_end::too_slow : head_end::gone;
    const head_end end = parse_head(client, parser, begun);
    if (end != head_end::closed) co_return end;
  }
}

awaitable<head_end> read_head(connection& client, request_parser& parser, const server_limits& limits) {
  if (co_await client.wait_for_request()) co_return head_end::closed;
  bool begun = false;
  head_end end = parse_head(client, parser, begun);  // most heads come in one piece
  if (end != head_end::closed) co_return end;
  client.arm_read(limits.header_timeout);
  end = co_await read_rest_of_head(client, parser, begun, limits.max_header_bytes);
  client.disarm_read();
  co_return end;
}

awaitable<void> refuse(server_exchange& x, const refusal& why) {
  x.report().outcome = outcome::refused;
  x.report().reason = why.why;
  x.report().detail = why.sentence;
  x.close_after();
  co_await respond_text(x, why.status, why.sentence);  // a client that does not take the answer has lost nothing
}

std::string text_of(std::exception_ptr error) {
  try {
    std::rethrow_exception(std::move(error));
  } catch (const std::exception& e) {
    return std::string(e.what()).substr(0, max_detail);
  } catch (...) {
    return "an exception of an unknown kind";
  }
}

/// Ends an exchange that its handler left open: a fault of ours, unless the client is gone.
awaitable<void> end_properly(server_exchange& x, std::exception_ptr thrown) {
  const bool lost = static_cast<bool>(x.failure());
  if (thrown || !lost) {
    x.report().outcome = outcome::error;
    x.report().reason = reason::internal;
    x.report().detail = thrown ? text_of(std::move(thrown)) : "the handler did not end its answer";
  }
  if (x.started() || lost) {
    x.abort();
  } else {
    x.close_after();
    co_await respond_text(x, 500, "tankard: internal error");
  }
}

awaitable<void> handle(const service& shared, server_exchange& x) {
  const std::string_view fault = framing_fault(x.request().headers, x.http_version());
  if (!fault.empty()) {
    const refusal why{400, reason::malformed, fault};
    co_await refuse(x, why);
    co_return;
  }
  std::exception_ptr thrown;
  try {
    co_await shared.handle(x);
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown || !x.finished()) co_await end_properly(x, std::move(thrown));
  if (x.failure() && x.report().reason == reason::none) x.report().reason = reason::client_gone;
}

/// One request at a time. Lives in the frame of the session, so that no frame of a request is large.
struct desk {
  std::optional<request_parser> parser;
  std::optional<server_exchange> exchange;
};

/// Serves one request. True where another may follow on the connection; false also where the client is to be closed.
/// `may_send_more`: closed at once, what the client still sends would cost it its answer.
awaitable<bool> serve_one(connection& client, service& shared, desk& at, bool& may_send_more) {
  at.exchange.reset();
  request_parser& parser = at.parser.emplace();
  parser.header_limit(static_cast<std::uint32_t>(shared.limits.max_header_bytes));
  parser.body_limit(boost::none);
  parser.eager(true);
  const head_end end = co_await read_head(client, parser, shared.limits);
  if (end == head_end::closed) co_return false;
  may_send_more = true;
  server_exchange& x = at.exchange.emplace(client, parser, shared.limits);
  {
    const in_flight_mark mark(shared.in_flight);
    if (end == head_end::whole) {
      co_await handle(shared, x);
    } else if (end == head_end::gone) {
      x.report().outcome = outcome::refused;
      x.report().reason = reason::client_gone;
    } else {
      const refusal why = refusal_of(end);
      co_await refuse(x, why);
    }
    shared.report(x, x.report());
  }
  if (end != head_end::whole) co_return false;
  if (x.ended_by_client()) may_send_more = false;
  if (const auto known = x.settled()) co_return *known;
  co_return co_await x.settle();
}

}  // namespace

awaitable<void> run_session(std::shared_ptr<connection> client, std::shared_ptr<service> shared) {
  if (!co_await set_up(*client)) co_return;
  bool may_send_more = false;
  desk at;
  while (co_await serve_one(*client, *shared, at, may_send_more)) may_send_more = false;
  if (may_send_more) {
    co_await client->close_gently();
  } else {
    co_await client->close_politely();
  }
}

awaitable<void> run_rejection(std::shared_ptr<connection> client, std::string_view sentence) {
  if (!co_await set_up(*client)) co_return;
  fields headers;
  headers.set(bhttp::field::retry_after, "1");
  co_await answer_and_close(*client, 503, headers, sentence);
}

}  // namespace tankard::proxy::http
