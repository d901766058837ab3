#include "proxy/upstream/ask.hpp"

#include <boost/asio/this_coro.hpp>

#include "proxy/net/deadline.hpp"
#include "proxy/upstream/failure_text.hpp"

namespace tankard::proxy::upstream {
namespace {

failure over_budget() {
  auto f = our_own(reason::overloaded, "too many large answers at once (limits.body_memory)");
  f.sent = true;
  return f;
}

/// What is asked for whole is short: where it stands still the upstream did not answer.
failure broken_off(failure f) {
  if (f.reason == reason::timeout) f.cls = failure_class::repo_outage;
  return f;
}

awaitable<outcome_of<whole_answer>> read_all(call& c, std::string_view expected_type, std::size_t max_body,
                                             net::memory_budget& budget) {
  auto head = co_await c.read_head();
  if (!head) co_return head.error();
  whole_answer answer{
      .head = std::move(*head), .claim = net::memory_claim(budget), .body = {}, .too_large = false, .meaning = {}};
  std::string chunk(64u << 10, '\0');
  for (;;) {
    auto const n = co_await c.read(asio::buffer(chunk));
    if (!n) co_return broken_off(n.error());
    if (*n == 0) break;
    auto const size = answer.body.size() + *n;
    if (size > max_body) {
      answer.too_large = true;
      break;
    }
    if (!net::reserve_claimed(answer.body, answer.claim, size, max_body)) co_return over_budget();
    answer.body.append(chunk, 0, *n);
  }
  answer.meaning = classify(answer.head, expected_type, answer.body);
  co_return answer;
}

}  // namespace

awaitable<outcome_of<whole_answer>> ask(client& c, request req, std::string_view expected_type, ask_limits limits,
                                        net::memory_budget& budget) {
  auto const begun = std::chrono::steady_clock::now();
  auto opened = co_await c.open(std::move(req));
  if (!opened) co_return opened.error();
  auto const call = std::move(*opened);
  auto const ex = co_await asio::this_coro::executor;
  net::deadline total(ex, [&c = *call] { c.abort(); });
  total.arm(std::max(limits.total - (std::chrono::steady_clock::now() - begun),
                     std::chrono::steady_clock::duration(std::chrono::milliseconds(1))));
  auto answer = co_await read_all(*call, expected_type, limits.max_body, budget);
  total.disarm();
  if (!answer && total.expired()) {
    co_return failure{.cls = failure_class::repo_outage,
                      .reason = reason::timeout,
                      .cause = "no whole answer within " + duration_text(limits.total),
                      .retry_after = std::nullopt,
                      .sent = true};
  }
  co_return answer;
}

awaitable<std::optional<whole_answer>> read_rest(call& c, response_head head) {
  constexpr std::size_t most = 64u << 10;
  whole_answer answer{.head = std::move(head), .body = {}, .too_large = false, .meaning = {}};
  std::string buffer(most, '\0');
  for (;;) {
    auto const n = co_await c.read(asio::buffer(buffer));
    if (!n || answer.body.size() + *n > most) co_return std::nullopt;
    if (*n == 0) co_return answer;
    answer.body.append(buffer, 0, *n);
  }
}

failure refused_at_length() {
  return {.cls = failure_class::client,
          .reason = reason::too_large,
          .cause = "it said no at length (HTTP 403, more than 64 KiB)",
          .retry_after = std::nullopt,
          .sent = true};
}

}  // namespace tankard::proxy::upstream
