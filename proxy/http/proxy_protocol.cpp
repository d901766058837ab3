#include "proxy/http/proxy_protocol.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "proxy/net/address_ranges.hpp"

namespace tankard::proxy::http {
namespace {

using status = proxy_header::status;

constexpr std::string_view v1_begin = "PROXY ";
constexpr std::size_t v1_longest = 107;  // with CRLF
constexpr std::string_view v2_begin{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t v2_fixed = 16;  // signature, version and command, family, length

proxy_header whole(std::size_t size, std::string source) { return {status::whole, size, std::move(source)}; }
proxy_header malformed() { return {status::malformed}; }
proxy_header incomplete() { return {status::incomplete}; }

bool may_begin(std::string_view input, std::string_view with) {
  return input.substr(0, with.size()) == with.substr(0, input.size());
}

std::string_view take_word(std::string_view& line) {
  auto const word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return word;
}

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  bool const padded = text.size() > 1 && text.front() == '0';
  return ec == std::errc{} && end == text.data() + text.size() && !padded;
}

/// In the one spelling, where it is an address of that family.
std::optional<std::string> address_of(std::string_view text, bool v6) {
  bool const colons = text.find(':') != text.npos;
  if (colons != v6 || text.find('%') != text.npos) return std::nullopt;
  auto address = net::canonical_address(text);
  return address.empty() ? std::nullopt : std::optional{std::move(address)};
}

/// "TCP4 192.0.2.1 192.0.2.2 1234 80" (2.1). Behind UNKNOWN there may be anything.
proxy_header read_v1(std::string_view line, std::size_t size) {
  auto const family = take_word(line);
  if (family == "UNKNOWN") return whole(size, {});
  bool const v6 = family == "TCP6";
  if (!v6 && family != "TCP4") return malformed();
  auto source = address_of(take_word(line), v6);
  auto const target = address_of(take_word(line), v6);
  auto const source_port = take_word(line);
  bool const ports = is_port(source_port) && is_port(line);  // what is left is one word, or no port
  return source && target && ports ? whole(size, std::move(*source)) : malformed();
}

proxy_header parse_v1(std::string_view input) {
  auto const end = input.substr(0, v1_longest).find('\n');
  if (end == input.npos) return input.size() < v1_longest ? incomplete() : malformed();
  if (input[end - 1] != '\r') return malformed();
  return read_v1(input.substr(v1_begin.size(), end - 1 - v1_begin.size()), end + 1);
}

unsigned byte_at(std::string_view input, std::size_t at) { return static_cast<unsigned char>(input[at]); }

std::string address_text(int family, const char* bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, bytes, text.data(), text.size());
  return net::canonical_address(text.data());
}

/// The address block (2.2): its least size by family, and where it names a client, who that is.
proxy_header read_v2(std::string_view header, bool local) {
  constexpr std::size_t v4_block = 12, v6_block = 36, unix_block = 216;
  auto const size = header.size();
  auto const family = byte_at(header, 13) >> 4, transport = byte_at(header, 13) & 15;
  if (local) return whole(size, {});
  if (family > 3 || transport > 2) return malformed();
  constexpr std::array<std::size_t, 4> least{0, v4_block, v6_block, unix_block};
  if (size - v2_fixed < least[family]) return malformed();
  auto const* const block = header.data() + v2_fixed;
  if (family == 1) return whole(size, address_text(AF_INET, block));
  if (family == 2) return whole(size, address_text(AF_INET6, block));
  return whole(size, {});
}

proxy_header parse_v2(std::string_view input) {
  if (input.size() < v2_fixed) return incomplete();
  auto const version = byte_at(input, 12) >> 4, command = byte_at(input, 12) & 15;
  if (version != 2 || command > 1) return malformed();
  auto const size = v2_fixed + byte_at(input, 14) * 256 + byte_at(input, 15);
  if (size > longest_proxy_header) return malformed();
  return input.size() < size ? incomplete() : read_v2(input.substr(0, size), command == 0);
}

}  // namespace

proxy_header parse_proxy_header(std::string_view input) {
  if (!may_begin(input, v1_begin) && !may_begin(input, v2_begin)) return malformed();
  if (input.starts_with(v1_begin)) return parse_v1(input);
  return input.starts_with(v2_begin) ? parse_v2(input) : incomplete();
}

}  // namespace tankard::proxy::http
