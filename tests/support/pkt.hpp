#pragma once
// Transcripts that a person can read: pkt("command=ls-refs", "0001", "peel", "0000").
// "0000", "0001" and "0002" are the special packets; every other string is one text line, sent with an LF as git does.
// bare_pkt() is the same without the LF; band_pkt() is one sideband pkt-line.

#include <string>
#include <string_view>

#include "protocol/pkt_line.hpp"
#include "protocol/sideband.hpp"

namespace tankard::test {

inline bool is_special_pkt(std::string_view text) { return text == "0000" || text == "0001" || text == "0002"; }

inline std::string one_pkt(std::string_view text, std::string_view end) {
  if (is_special_pkt(text)) return std::string{text};
  std::string out;
  protocol::append_pkt(out, std::string{text} + std::string{end});
  return out;
}

template <class... Texts>
std::string pkt(const Texts&... texts) {
  return (std::string{} + ... + one_pkt(texts, "\n"));
}

template <class... Texts>
std::string bare_pkt(const Texts&... texts) {
  return (std::string{} + ... + one_pkt(texts, ""));
}

inline std::string band_pkt(protocol::band b, std::string_view data) {
  std::string out;
  protocol::append_pkt(out, std::string{static_cast<char>(b)} + std::string{data});
  return out;
}

}  // namespace tankard::test
