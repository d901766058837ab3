#pragma once
// An answer to fetch on its way into a spool: without its progress, and with a verdict whether it may be kept.
// Whether its pack is whole is not seen here, but by who keeps it (answer_digest).
// Sans-IO. Memory: at most one text pkt-line, and the last progress. One coroutine at a time.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "protocol/fetch_answer.hpp"

namespace tankard::cache {

/// Whether a response may be kept, or the first reason why not.
enum class keep_verdict : std::uint8_t {
  keep,
  unfinished,       ///< not at its proper end (yet)
  malformed,        ///< not an answer to fetch
  refused,          ///< ERR, or band 3
  no_packfile,      ///< acknowledgments only
  unasked_section,  ///< shallow-info that nobody asked for, wanted-refs, packfile-uris
};
std::string_view to_string(keep_verdict v) noexcept;

class sealed_response {
 public:
  static constexpr std::size_t most_progress = 4096;

  /// `shallow_asked`: the request had depth, deepen-since or shallow lines.
  explicit sealed_response(bool shallow_asked, const protocol::answer_form& form = {})
      : form_(form), reader_(form), shallow_asked_(shallow_asked) {}

  /// Appends to `out` what every client gets of the next bytes of the answer: everything but band 2, keep-alives and
  /// the response-end-pkt. An ERR or band 3 goes through. Pack data is framed anew, and never held back.
  /// Errors: those of fetch_answer_reader; what was appended before is to be broken off then.
  protocol::result<void> feed(std::string_view bytes, std::string& out);
  /// The message has ended: of v0 only that tells.
  void finish();

  /// What came on band 2 since the last call, at most `most_progress` bytes of it.
  std::string take_progress() { return std::exchange(progress_, {}); }

  /// Final once the message has ended. Before that `unfinished`, or already a reason why it will not be kept.
  keep_verdict verdict() const;
  /// Size of the head of what was put out: up to and including the header of the packfile section.
  std::optional<std::uint64_t> head_size() const noexcept { return head_size_; }

 private:
  void take(const protocol::fetch_event& event, std::string& out);
  void take_section(std::string_view name, std::string& out);

  protocol::answer_form form_;
  protocol::fetch_answer_reader reader_;
  std::string progress_;
  bool shallow_asked_;
  bool unasked_ = false;
  bool malformed_ = false;
  std::uint64_t put_out_ = 0;  // bytes before the present call
  std::optional<std::uint64_t> head_size_;
};

/// Finds the end of the head in a response that is served, so that a client's own band-2 lines can go in between: the
/// header of the packfile section, or in v0 the first pkt-line of the pack.
class response_head {
 public:
  explicit response_head(const protocol::answer_form& form = {}) : reader_(form) {}

  /// How many of these next bytes still belong to the head; all of them as long as it has not ended, or where the
  /// response has no pack in bands.
  std::size_t take(std::string_view bytes);
  /// The last take() found the end, or one before it did: a pkt-line may be put in there.
  bool ended() const noexcept { return ended_; }

 private:
  protocol::fetch_answer_reader reader_;
  bool ended_ = false;
  bool lost_ = false;  // malformed
};

}  // namespace tankard::cache
