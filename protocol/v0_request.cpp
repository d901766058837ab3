#include "protocol/v0_request.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "protocol/capabilities.hpp"
#include "protocol/command_request.hpp"
#include "protocol/fetch_arguments.hpp"
#include "protocol/pkt_cursor.hpp"

namespace tankard::protocol {
namespace {

using band = v0_framing::band;
using ack = v0_framing::ack;

// Capabilities of a want line that say something of the fetch itself.
struct flag_row {
  std::string_view word;
  bool fetch_request::* flag;
};
constexpr std::array flags = {
    flag_row{"thin-pack", &fetch_request::thin_pack},
    flag_row{"no-progress", &fetch_request::no_progress},
    flag_row{"include-tag", &fetch_request::include_tag},
    flag_row{"ofs-delta", &fetch_request::ofs_delta},
};

// fetch-pack.c says these of itself in every request, or they only allow the lines below; alone they mean nothing.
constexpr std::array<std::string_view, 10> harmless = {
    "agent",
    "session-id",
    "object-format",
    "filter",
    "shallow",
    "symref",
    "deepen-since",
    "deepen-not",
    "allow-tip-sha1-in-want",
    "allow-reachable-sha1-in-want",
};

// upload-pack.c, receive_needs: what may stand between the wants.
constexpr std::array<std::string_view, 6> need_words = {"want",         "shallow",    "deepen",
                                                        "deepen-since", "deepen-not", "filter"};

std::string_view take_word(std::string_view& text) noexcept {
  auto const space = text.find(' ');
  auto const word = text.substr(0, space);
  text = space == std::string_view::npos ? std::string_view{} : text.substr(space + 1);
  return word;
}

class v0_parser {
 public:
  explicit v0_parser(std::string_view body) noexcept : in_{body} {}

  result<v0_request> parse() && {
    if (auto const needs = read_needs(); !needs) return needs.error();
    out_.stop = v0_stop::needs;
    if (!in_.at_end())
      if (auto const haves = read_haves(); !haves) return haves.error();
    if (!in_.at_end()) return errc::trailing_data;
    return finish();
  }

 private:
  result<void> read_needs() {
    while (true) {
      auto const line = in_.next();
      if (!line) return line.error();
      if (line->type == pkt_type::flush) return {};
      if (line->type != pkt_type::data) return errc::unexpected_packet;
      if (auto const read = read_need(line->text()); !read) return read.error();
    }
  }

  result<void> read_need(std::string_view text) {
    auto rest = text;
    auto const word = take_word(rest);
    if (std::ranges::find(need_words, word) == need_words.end()) return errc::bad_argument;
    if (word.starts_with("deepen")) out_.shallow_info = true;
    if (word != "want") return read_line(word, text);
    auto const oid = take_word(rest);
    if (auto const read = read_capabilities(rest); !read) return read.error();
    return read_line(word, text.substr(0, word.size() + 1 + oid.size()));
  }

  // The first object name says what all are made of: `object-format` is a capability of the server's only.
  result<void> read_line(std::string_view word, std::string_view text) {
    bool const has_oid = word == "want" || word == "shallow" || word == "have";
    if (has_oid && !format_known_) {
      format_known_ = true;
      auto const is_sha256 = text.size() == word.size() + 1 + hex_size(object_format::sha256);
      out_.fetch.format = is_sha256 ? object_format::sha256 : object_format::sha1;
    }
    return read_fetch_line(out_.fetch, text);
  }

  result<void> read_capabilities(std::string_view text) {
    while (!text.empty()) {
      auto const word = take_word(text);
      if (word.empty()) continue;
      capability_list one;
      if (auto const added = one.add(word); !added) return added.error();
      if (auto const read = read_capability(one, word); !read) return read.error();
    }
    return {};
  }

  result<void> read_capability(const capability_list& one, std::string_view word) {
    for (auto const& row : flags) {
      if (word != row.word) continue;
      out_.fetch.*row.flag = true;
      return {};
    }
    auto& framing = out_.framing;
    auto const& key = one.entries().front().key;
    if (word == "side-band-64k") {
      framing.bands = band::side_64k;
    } else if (word == "side-band") {
      framing.bands = std::max(framing.bands, band::side);
    } else if (word == "multi_ack_detailed") {
      framing.acks = ack::multi_detailed;
    } else if (word == "multi_ack") {
      framing.acks = std::max(framing.acks, ack::multi);
    } else if (word == "no-done") {
      framing.no_done = true;
    } else if (std::ranges::find(harmless, key) == harmless.end()) {
      note_bypass(out_.fetch, word);
    }
    filter_allowed_ = filter_allowed_ || word == "filter";
    if (key == "object-format") return read_format(one);
    return {};
  }

  result<void> read_format(const capability_list& one) {
    auto const format = requested_format(one);
    if (!format) return format.error();
    if (said_format_ && *said_format_ != *format) return errc::bad_argument;
    said_format_ = *format;
    return {};
  }

  // In a stateless-rpc the first flush-pkt ends a round, and with it the process.
  result<void> read_haves() {
    while (!in_.at_end()) {
      auto const line = in_.next();
      if (!line) return line.error();
      if (line->type == pkt_type::flush) {
        out_.stop = v0_stop::round;
        return {};
      }
      if (line->type != pkt_type::data) return errc::unexpected_packet;
      if (line->text() == "done") return read_end();
      if (!line->text().starts_with("have ")) return errc::bad_argument;
      if (auto const read = read_line("have", line->text()); !read) return read.error();
    }
    return errc::truncated;
  }

  result<void> read_end() {
    out_.stop = v0_stop::done;
    out_.fetch.done = true;
    if (in_.at_end()) return {};
    auto const line = in_.next();
    if (!line) return line.error();
    return line->type == pkt_type::flush ? result<void>{} : result<void>{errc::trailing_data};
  }

  result<v0_request> finish() {
    if (!out_.fetch.filter.empty() && !filter_allowed_) return errc::bad_argument;
    if (said_format_ && format_known_ && *said_format_ != out_.fetch.format) return errc::bad_argument;
    if (auto const finished = finish_fetch_request(out_.fetch); !finished) return finished.error();
    return std::move(out_);
  }

  pkt_cursor in_;
  v0_request out_;
  bool format_known_ = false;
  bool filter_allowed_ = false;
  std::optional<object_format> said_format_;
};

std::string_view word_of(band b) noexcept {
  return b == band::side_64k ? "side-band-64k" : b == band::side ? "side-band" : "";
}
std::string_view word_of(ack a) noexcept {
  return a == ack::multi_detailed ? "multi_ack_detailed" : a == ack::multi ? "multi_ack" : "";
}

void add_word(std::string& out, std::string_view word) {
  if (!word.empty()) (out += ' ') += word;
}

std::string capabilities_of(const v0_request& r, std::string_view agent) {
  std::string out;
  add_word(out, word_of(r.framing.acks));
  if (r.framing.no_done) add_word(out, "no-done");
  add_word(out, word_of(r.framing.bands));
  for (auto const& row : flags)
    if (r.fetch.*row.flag) add_word(out, row.word);
  if (!r.fetch.filter.empty()) add_word(out, "filter");
  // Said for SHA-256 only, as in v2.
  if (r.fetch.format != object_format::sha1) add_word(out, "object-format=" + std::string{to_string(r.fetch.format)});
  if (!agent.empty()) add_word(out, "agent=" + std::string{agent});
  return out;
}

}  // namespace

std::string v0_request::framing_text() const {
  std::string out = "v0";
  add_word(out, word_of(framing.bands));
  add_word(out, word_of(framing.acks));
  // Without multi_ack_detailed no `ready` is ever said.
  if (framing.no_done && framing.acks == ack::multi_detailed) add_word(out, "no-done");
  // Both are requests without `done`.
  if (stop == v0_stop::needs) add_word(out, "needs");
  return out;
}

result<v0_request> parse_v0_request(std::string_view body) { return v0_parser{body}.parse(); }

std::string write_v0_request(const v0_request& r, std::string_view agent) {
  std::string out;
  auto const& fetch = r.fetch;
  auto const line = [&out](std::string_view word, const std::string& rest) {
    append_text_pkt(out, std::string{word} + ' ' + rest);
  };
  auto capabilities = capabilities_of(r, agent);
  for (auto const& want : fetch.wants) {
    line("want", want.hex() + capabilities);
    capabilities.clear();
  }
  for (auto const& shallow : fetch.shallow) line("shallow", shallow.hex());
  if (fetch.deepen) line("deepen", std::to_string(*fetch.deepen));
  if (fetch.deepen_since) line("deepen-since", std::to_string(*fetch.deepen_since));
  if (!fetch.filter.empty()) line("filter", fetch.filter);
  append_flush(out);
  if (r.stop == v0_stop::needs) return out;
  for (auto const& have : fetch.haves) line("have", have.hex());
  if (r.stop == v0_stop::round)
    append_flush(out);
  else
    append_text_pkt(out, "done");
  return out;
}

v0_request own_v0_fetch(const own_fetch& fetch) {
  v0_request out;
  out.fetch.wants = fetch.wants;
  out.fetch.haves = fetch.haves;
  out.fetch.format = fetch.format;
  out.fetch.done = true;
  out.fetch.ofs_delta = true;
  out.fetch.thin_pack = !fetch.haves.empty();  // only a pack for somebody who has something can be thin
  out.framing = {.bands = band::side_64k, .acks = ack::multi_detailed, .no_done = false};
  return out;
}

}  // namespace tankard::protocol
