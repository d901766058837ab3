#include "protocol/quiet_answer.hpp"

#include <algorithm>

#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
namespace {

constexpr std::size_t digits = 4;
constexpr char progress_band = 2;
constexpr char error_band = 3;
/// gitprotocol-pack "error-line". No band begins like it, and no line of text like a band: what a pkt-line is needs no
/// look at the section.
constexpr std::string_view err_word = "ERR ";
/// Where a pack has no bands it begins so, behind the last pkt-line.
constexpr std::string_view bare_pack = "PACK";
/// A pkt-line of band 1 without data.
constexpr std::string_view keep_alive{"0005\x01", 5};

}  // namespace

/// Takes what belongs to the front of a pkt-line; true once it has this size.
bool quiet_answer::take(std::string_view& bytes, std::size_t size) {
  auto const n = std::min(size - std::min(size, front_.size()), bytes.size());
  front_ += bytes.substr(0, n);
  bytes.remove_prefix(n);
  return front_.size() >= size;
}

quiet_answer::kind quiet_answer::kind_of(std::string_view payload) noexcept {
  if (payload.starts_with(err_word)) return kind::err_line;
  if (payload.empty()) return kind::data;
  if (payload.front() == progress_band) return kind::progress;
  return payload.front() == error_band ? kind::error : kind::data;
}

/// In the place of the host's words.
void quiet_answer::say(kind what, std::string& out) const {
  if (what == kind::err_line) append_pkt(out, std::string(err_word) + error_);
  if (what == kind::error) append_pkt(out, std::string(1, error_band) + error_);
  if (what == kind::progress && keeps_alive_) out += keep_alive;
}

/// Decides on a pkt-line when enough of it is there.
result<void> quiet_answer::begin(std::string_view& bytes, std::string& out) {
  if (!take(bytes, digits)) return {};
  if (front_ == bare_pack) {
    doing_ = doing::passes_all;
    out += front_;
    return {};
  }
  auto const size = decode_pkt_length(std::string_view(front_).substr(0, digits));
  if (!size) return size.error();
  auto const looked_at = std::min(*size, digits + err_word.size());
  if (!take(bytes, looked_at)) return {};
  auto const what = kind_of(std::string_view(front_).substr(digits));
  if (what == kind::data) {
    out += front_;
  } else {
    say(what, out);
  }
  left_ = *size - std::min(*size, front_.size());
  doing_ = left_ == 0 ? doing::begins : what == kind::data ? doing::passes : doing::skips;
  front_.clear();
  return {};
}

result<void> quiet_answer::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (doing_ == doing::passes_all) {
      out += bytes;
      return {};
    }
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
