#include "protocol/quiet_answer.hpp"

#include <algorithm>

#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
namespace {

constexpr std::size_t digits = 4;
constexpr char progress_band = 2;
constexpr char error_band = 3;
/// A pkt-line of band 1 without data.
constexpr std::string_view keep_alive{"0005\x01", 5};

}  // namespace

/// Takes what belongs to the front of a pkt-line, and decides when it is whole.
result<void> quiet_answer::begin(std::string_view& bytes, std::string& out) {
  auto const take = [&](std::size_t size) {
    auto const n = std::min(size - std::min(size, front_.size()), bytes.size());
    front_ += bytes.substr(0, n);
    bytes.remove_prefix(n);
    return front_.size() >= size;
  };
  if (!take(digits)) return {};
  auto const size = decode_pkt_length(std::string_view(front_).substr(0, digits));
  if (!size) return size.error();
  bool const has_payload = *size > digits;
  if (has_payload && !take(digits + 1)) return {};
  char const band = has_payload ? front_.back() : '\0';
  bool const said = band == progress_band || band == error_band;
  if (!said) {
    out += front_;
  } else if (band == error_band) {
    append_pkt(out, std::string(1, error_band) + error_);
  } else if (keeps_alive_) {
    out += keep_alive;
  }
  left_ = has_payload ? *size - digits - 1 : 0;
  doing_ = left_ == 0 ? doing::begins : said ? doing::skips : doing::passes;
  front_.clear();
  return {};
}

result<void> quiet_answer::feed(std::string_view bytes, std::string& out) {
  if (!has_bands_) {
    out += bytes;
    return {};
  }
  while (!bytes.empty()) {
    if (doing_ == doing::begins) {
      if (auto const begun = begin(bytes, out); !begun) return begun;
      continue;
    }
    auto const n = std::min(left_, bytes.size());
    if (doing_ == doing::passes) out += bytes.substr(0, n);
    bytes.remove_prefix(n);
    left_ -= n;
    if (left_ == 0) doing_ = doing::begins;
  }
  return {};
}

}  // namespace tankard::protocol
