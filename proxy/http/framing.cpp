#include "proxy/http/framing.hpp"

#include <array>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ctime>

#include "proxy/http/headers.hpp"
#include "proxy/net/ascii.hpp"

namespace tankard::proxy::http {
namespace {

namespace bhttp = boost::beast::http;
using field = bhttp::field;

constexpr std::size_t usual_head = 512;

bool is_framing(field name, std::string_view text) noexcept {
  return name == field::content_length || name == field::transfer_encoding || name == field::connection ||
         name == field::keep_alive || (name == field::unknown && net::equal_any_case(text, "keep-alive"));
}

/// IMF-fixdate of now; made once a second per thread.
const std::string& date_now() {
  thread_local std::time_t made_at = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_at || text.empty()) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char buffer[40];
    const std::size_t size = std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    text.assign(buffer, size);
    made_at = now;
  }
  return text;
}

void append_number(std::string& out, std::uint64_t n) {
  std::array<char, 20> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr);
}

void append_line_text(std::string& out, std::string_view text) {
  constexpr std::string_view breaks("\r\n\0", 3);
  if (text.find_first_of(breaks) == text.npos) {
    out += text;
    return;
  }
  for (const char c : text) out += (c == '\r' || c == '\n' || c == '\0') ? ' ' : c;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_line_text(out, name);
  out += ": ";
  append_line_text(out, value);
  out += "\r\n";
}

void append_date(std::string& out) { out.append("Date: ").append(date_now()).append("\r\n"); }

void append_framing(std::string& out, const answer_framing& framing) {
  if (framing.length) {
    out += "Content-Length: ";
    append_number(out, *framing.length);
    out += "\r\n";
  }
  if (framing.end == body_end::chunks) append_field(out, "Transfer-Encoding", "chunked");
  if (!framing.keep_alive) append_field(out, "Connection", "close");
  if (framing.keep_alive && framing.says_keep_alive) append_field(out, "Connection", "keep-alive");
}

std::string status_line(unsigned status, std::string_view reason_phrase) {
  std::string out;
  out.reserve(usual_head);
  out += "HTTP/1.1 ";
  append_number(out, status);
  out += ' ';
  const std::string_view phrase =
      reason_phrase.empty() ? std::string_view(bhttp::obsolete_reason(bhttp::int_to_status(status))) : reason_phrase;
  append_line_text(out, phrase);
  out += "\r\n";
  return out;
}

}  // namespace

std::string_view framing_fault(const fields& headers, unsigned version) {
  const auto lengths = count_of(headers, field::content_length);
  const auto encodings = count_of(headers, field::transfer_encoding);
  if (lengths > 1) return "more than one Content-Length";
  if (encodings > 1) return "more than one Transfer-Encoding";
  if (encodings == 0) return {};
  if (lengths > 0) return "both Content-Length and Transfer-Encoding";
  if (version < 11) return "Transfer-Encoding in an HTTP/1.0 request";
  if (!net::equal_any_case(value_of(headers, field::transfer_encoding), "chunked"))
    return "a Transfer-Encoding other than chunked";
  return {};
}

bool is_bodiless(unsigned status) noexcept { return status < 200 || status == 204 || status == 304; }

std::string answer_head(unsigned status, std::string_view reason_phrase, const fields& headers,
                        const answer_framing& framing) {
  std::string out = status_line(status, reason_phrase);
  for (const auto& f : headers) {
    if (!is_framing(f.name(), f.name_string())) append_field(out, f.name_string(), f.value());
  }
  if (count_of(headers, field::date) == 0) append_date(out);
  append_framing(out, framing);
  out += "\r\n";
  return out;
}

std::string answer_head(unsigned status, std::string_view header_lines, const answer_framing& framing) {
  std::string out = status_line(status, {});
  out += header_lines;
  append_date(out);
  append_framing(out, framing);
  out += "\r\n";
  return out;
}

}  // namespace tankard::proxy::http
