#pragma once
// An answer to fetch without what its host says in it: where tankard asked in its own name, the host's words (who it
// thinks is asking, what that account may still do) are said to tankard. Sans-IO; nothing but a pkt-line's first bytes
// is held.

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/fetch_answer.hpp"

namespace tankard::protocol {

class quiet_answer {
 public:
  /// `all_banded`: the request asked for sideband-all, so that bands are not only those of a pack.
  /// `error`: said in the place of what is on band 3, and of the words of an ERR pkt-line; a line with its LF.
  quiet_answer(const answer_form& form, bool all_banded, std::string error)
      : has_bands_(form.has_bands()), keeps_alive_(!all_banded), error_(std::move(error)) {}

  /// Appends what goes on of the next bytes: all but bands 2 and 3 and the words of ERR pkt-lines. For progress there
  /// is a keep-alive, so that the client sees that the host is at work. Error: not pkt-lines.
  result<void> feed(std::string_view bytes, std::string& out);

 private:
  enum class doing : std::uint8_t { begins, passes, skips, passes_all };
  enum class kind : std::uint8_t { data, progress, error, err_line };
  bool take(std::string_view& bytes, std::size_t size);
  result<void> begin(std::string_view& bytes, std::string& out);
  kind kind_of(std::string_view payload) const noexcept;
  void say(kind what, std::string& out) const;

  bool has_bands_;
  bool keeps_alive_;
  std::string error_;
  doing doing_ = doing::begins;
  std::string front_;     // of a pkt-line: length, and the first bytes of the payload
  std::size_t left_ = 0;  // of the pkt-line
};

}  // namespace tankard::protocol
