#include "proxy/handlers/push_refusal.hpp"

#include "protocol/push_report.hpp"
#include "protocol/push_request.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"

namespace tankard::proxy::handlers {
namespace {

/// More commands than fit into this are refused with the status alone.
constexpr std::size_t most_read = 1u << 20;

/// Reads no more of the body than what is to be pushed; nullopt where that cannot be told.
awaitable<std::optional<protocol::push_request>> read_commands(services& s, http::exchange& x) {
  if (!x.request().headers["Content-Encoding"].empty()) co_return std::nullopt;
  x.end_body_by(std::chrono::steady_clock::now() + s.settings.limit.body);
  protocol::push_request_reader reader;
  std::string buffer(8u << 10, '\0');
  for (std::size_t seen = 0; seen < most_read && !reader.done();) {
    auto const n = co_await x.read_body(asio::buffer(buffer));
    if (!n || *n == 0) break;
    reader.feed(std::string_view(buffer).substr(0, *n));
    seen += *n;
  }
  if (reader.request() == nullptr) co_return std::nullopt;
  co_return *reader.request();
}

awaitable<void> answer_as_receive_pack(http::exchange& x, std::string_view body) {
  http::fields headers;
  headers.set("Content-Type", http::receive_pack_result_type);
  http::add_no_cache(headers);
  co_await x.respond(200, std::move(headers), body);
}

}  // namespace

awaitable<void> refuse_push(services& s, http::exchange& x, const routed& r, push_refusal no) {
  bool const is_post = r.target.service == http::git_service::receive_pack;
  auto const asked = is_post ? co_await read_commands(s, x) : std::nullopt;
  bool const is_probe = asked && asked->commands == 0;
  bool const as_receive_pack = asked && (is_probe ? no.lets_probe_in : asked->wants_report);
  if (!as_receive_pack) co_return co_await say(x, no.why, no.status, std::move(no.sentence));
  set_verdict(x, no.why, "self");
  x.report().detail = no.sentence;
  std::string const body = is_probe ? std::string() : protocol::write_push_refusal(*asked, no.sentence);
  co_await answer_as_receive_pack(x, body);
}

}  // namespace tankard::proxy::handlers
