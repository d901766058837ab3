#include "proxy/upstream/request_head.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/rfc7230.hpp>

#include "proxy/net/ascii.hpp"
#include "proxy/upstream/failure_text.hpp"

namespace tankard::proxy::upstream {
namespace {

namespace http = boost::beast::http;
using kind = request::body_kind;

std::string_view view(boost::beast::string_view s) { return {s.data(), s.size()}; }

bool is_ours(http::field f) {
  static constexpr std::array ours{http::field::host,
                                   http::field::content_length,
                                   http::field::transfer_encoding,
                                   http::field::connection,
                                   http::field::keep_alive,
                                   http::field::proxy_connection,
                                   http::field::proxy_authorization,
                                   http::field::te,
                                   http::field::trailer,
                                   http::field::upgrade,
                                   http::field::expect};
  return std::ranges::find(ours, f) != ours.end();
}

bool is_named_by_connection(const fields& headers, boost::beast::string_view name) {
  auto const range = headers.equal_range(http::field::connection);
  return std::any_of(range.first, range.second, [&](auto const& f) {
    auto const tokens = http::token_list(f.value());
    return std::any_of(tokens.begin(), tokens.end(), [&](auto t) { return net::equal_any_case(view(t), view(name)); });
  });
}

bool is_clean(std::string_view s, unsigned char least) {
  return std::ranges::all_of(s, [least](char c) {
    auto const u = static_cast<unsigned char>(c);
    return (u >= least && u != 0x7f) || (c == '\t' && least == ' ');
  });
}

std::string_view method_of(const request& req) {
  return req.method == verb::unknown ? std::string_view(req.method_name) : view(http::to_string(req.method));
}

void append(std::string& out, std::initializer_list<std::string_view> parts) {
  for (auto const p : parts) out += p;
}

void append_framing(std::string& out, const request& req) {
  bool const may_be_empty = req.method == verb::get || req.method == verb::head;
  if (req.kind == kind::chunked) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (req.kind == kind::length) {
    append(out, {"Content-Length: ", std::to_string(req.length), "\r\n"});
  } else if (req.kind == kind::whole || !may_be_empty) {
    auto const size = req.kind == kind::whole ? req.body.size() : 0;
    append(out, {"Content-Length: ", std::to_string(size), "\r\n"});
  }
}

}  // namespace

std::string authority(std::string_view scheme, std::string_view host, std::uint16_t port) {
  std::string out;
  bool const v6 = host.find(':') != host.npos;
  append(out, {v6 ? "[" : "", host, v6 ? "]" : ""});
  if (port != (scheme == "https" ? 443 : 80)) append(out, {":", std::to_string(port)});
  return out;
}

outcome_of<std::string> request_head(const request& req, std::string_view host) {
  auto const method = method_of(req);
  if (method.empty() || !is_clean(method, 0x21)) return our_own(reason::malformed, "bad method");
  if (!req.target.starts_with('/') || !is_clean(req.target, 0x21)) return our_own(reason::malformed, "bad target");
  std::string out;
  append(out, {method, " ", req.target, " HTTP/1.1\r\nHost: ", host, "\r\n"});
  for (auto const& f : req.headers) {
    if (is_ours(f.name()) || is_named_by_connection(req.headers, f.name_string())) continue;
    auto const name = view(f.name_string()), value = view(f.value());
    if (name.empty() || !is_clean(name, 0x21) || !is_clean(value, ' ')) return our_own(reason::malformed, "bad header");
    append(out, {name, ": ", value, "\r\n"});
  }
  append_framing(out, req);
  if (req.expects_continue) out += "Expect: 100-continue\r\n";
  out += "\r\n";
  return out;
}

}  // namespace tankard::proxy::upstream
