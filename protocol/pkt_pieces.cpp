#include "protocol/pkt_pieces.hpp"

#include <algorithm>

#include "protocol/sideband.hpp"

namespace tankard::protocol {
namespace {

constexpr std::size_t length_digits = 4;
constexpr std::size_t band_head = length_digits + 1;

}  // namespace

struct pkt_pieces::framed {
  pkt line;
  std::size_t consumed = 0;  // of the input of this call
  bool complete = false;
  bool is_pack = false;  // only the head was consumed; pack_left_ says how much follows
};

result<pkt_pieces::piece> pkt_pieces::next(std::string_view in, bool banded) {
  if (cut_is_spent_) {
    cut_.clear();
    cut_is_spent_ = false;
  }
  std::size_t consumed = 0;
  while (true) {
    if (pack_left_ > 0) {
      auto const part = in.substr(consumed, pack_left_);
      if (part.empty()) return piece{kind::need_more, {}, {}, consumed};
      pack_left_ -= part.size();
      return piece{kind::pack, {}, part, consumed + part.size()};
    }
    auto const packet = take(in.substr(consumed), banded);
    if (!packet) return packet.error();
    consumed += packet->consumed;
    if (!packet->complete) return piece{kind::need_more, {}, {}, consumed};
    if (!packet->is_pack) return piece{kind::line, packet->line, {}, consumed};
  }
}

// A pkt-line that is whole in `in` is used where it is; one that is not is collected in cut_. Pack data never is: once
// its band byte is there, the rest is handed out as it comes.
result<pkt_pieces::framed> pkt_pieces::take(std::string_view in, bool banded) {
  framed out;
  auto const collect_to = [&](std::size_t size) {
    if (cut_.size() >= size) return true;
    auto const part = in.substr(out.consumed, size - cut_.size());
    cut_ += part;
    out.consumed += part.size();
    return cut_.size() == size;
  };
  bool const is_direct = cut_.empty() && in.size() >= band_head;
  if (!is_direct && !collect_to(length_digits)) return out;
  auto const size =
      decode_pkt_length(is_direct ? in.substr(0, length_digits) : std::string_view{cut_}.substr(0, length_digits));
  if (!size) return size.error();

  if (banded && *size >= band_head) {
    if (!is_direct && !collect_to(band_head)) return out;
    if ((is_direct ? in : cut_)[length_digits] == static_cast<char>(band::pack)) {
      out.complete = out.is_pack = saw_band_1_ = true;
      if (is_direct) out.consumed = band_head;
      cut_.clear();
      pack_left_ = *size - band_head;
      return out;
    }
  }
  auto const whole = std::max(*size, length_digits);
  if (is_direct && in.size() >= whole) {
    out.consumed = whole;
    out.line = decode_pkt(in)->line;
  } else if (collect_to(whole)) {
    out.line = decode_pkt(cut_)->line;
    cut_is_spent_ = true;
  } else {
    return out;
  }
  out.complete = true;
  return out;
}

}  // namespace tankard::protocol
