#include "proxy/net/address_ranges.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

namespace tankard::proxy::net {
namespace {

constexpr unsigned v4_bits = 32, v6_bits = 128;
constexpr unsigned mapped_bits = 96;  // of ::ffff:0:0/96 (RFC 4291, 2.5.5.2)
constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t longest_shown = 80;

struct binary_address {
  bool v4 = false;
  std::array<std::uint8_t, 16> bytes{};  // an IPv4 address in the first four
};

/// Numeric addresses only; nothing is looked up and nothing allocated.
std::optional<binary_address> read_address(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.empty() || text.size() >= terminated.size()) return std::nullopt;
  if (text.find('\0') != text.npos) return std::nullopt;
  std::ranges::copy(text, terminated.begin());
  binary_address out;
  out.v4 = ::inet_pton(AF_INET, terminated.data(), out.bytes.data()) == 1;
  if (out.v4 || ::inet_pton(AF_INET6, terminated.data(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

bool is_mapped(const binary_address& a) noexcept {
  return !a.v4 && std::equal(mapped_prefix.begin(), mapped_prefix.end(), a.bytes.begin());
}

binary_address unmapped(const binary_address& a) noexcept {
  binary_address out;
  out.v4 = true;
  std::copy_n(a.bytes.begin() + mapped_prefix.size(), 4, out.bytes.begin());
  return out;
}

std::optional<binary_address> read_peer(std::string_view text) noexcept {
  auto const a = read_address(text.substr(0, text.find('%')));
  return a && is_mapped(*a) ? unmapped(*a) : a;
}

/// The first `length` bits of the address, zeros after them.
std::array<std::uint8_t, 16> network_of(const std::array<std::uint8_t, 16>& bytes, unsigned length) noexcept {
  std::array<std::uint8_t, 16> out{};
  std::copy_n(bytes.begin(), length / 8, out.begin());
  if (length % 8 != 0) out[length / 8] = bytes[length / 8] & static_cast<std::uint8_t>(0xff00u >> (length % 8));
  return out;
}

std::string shown(const binary_address& a) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(a.v4 ? AF_INET : AF_INET6, a.bytes.data(), text.data(), text.size());
  return text.data();
}

/// A foreign text for a message.
std::string ticked(std::string_view text) {
  std::string out = "`";
  for (char const c : text.substr(0, longest_shown)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (text.size() > longest_shown ? "...`" : "`");
}

std::optional<unsigned> read_length(std::string_view text) noexcept {
  unsigned n = 0;
  auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  bool const whole = ec == std::errc{} && end == text.data() + text.size();
  return whole && text.size() <= 3 ? std::optional{n} : std::nullopt;
}

}  // namespace

boost::system::result<address_ranges::range, std::string> address_ranges::parse_range(std::string_view text) {
  auto const slash = text.find('/');
  auto address = read_address(text.substr(0, slash));
  if (!address) return "has " + ticked(text) + ", which is no address and no network such as 10.0.0.0/8";
  auto bits = address->v4 ? v4_bits : v6_bits;
  auto const length = slash == text.npos ? std::optional{bits} : read_length(text.substr(slash + 1));
  if (!length) return "has " + ticked(text) + ", whose length is no number";
  if (*length > bits) return "has " + ticked(text) + ", whose length is beyond " + std::to_string(bits);
  range made{address->v4, address->bytes, *length};
  if (is_mapped(*address) && *length >= mapped_bits) made = {true, unmapped(*address).bytes, *length - mapped_bits};
  auto const network = network_of(made.base, made.length);
  if (network != made.base) {
    auto const meant = shown({made.v4, network}) + "/" + std::to_string(made.length);
    return "has " + ticked(text) + ", which is one address within " + meant + "; write the one or the other";
  }
  return made;
}

boost::system::result<address_ranges, std::string> address_ranges::parse(const std::vector<std::string>& texts) {
  address_ranges out;
  if (texts.size() > most) return "has more than " + std::to_string(most) + " entries";
  for (auto const& text : texts) {
    if (text == unix_peer) {
      out.unix_ = true;
      continue;
    }
    auto const made = parse_range(text);
    if (!made) return made.error();
    out.ranges_.push_back(*made);
  }
  return out;
}

bool address_ranges::contains(std::string_view address) const noexcept {
  if (address == unix_peer) return unix_;
  if (ranges_.empty()) return false;
  auto const a = read_peer(address);
  return a && std::ranges::any_of(
                  ranges_, [&](const range& r) { return r.v4 == a->v4 && network_of(a->bytes, r.length) == r.base; });
}

std::string canonical_address(std::string_view text) {
  auto const a = read_peer(text);
  return a ? shown(*a) : std::string{};
}

}  // namespace tankard::proxy::net
