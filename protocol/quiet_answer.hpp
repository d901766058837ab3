#pragma once
// An answer to a request to read without what its host says in it: where tankard asked in its own name, the host's
// words (who it thinks is asking, what that account may still do) are said to tankard. Sans-IO; nothing but a
// pkt-line's first bytes is held.

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"

namespace tankard::protocol {

class quiet_answer {
 public:
  /// `keeps_alive`: for progress there is a keep-alive, so that the client sees that the host is at work. Not where
  /// bands are other than those of a pack: where sideband-all was asked for, and in a listing. `error`: said in the
  /// place of what is on band 3, and of the words of an ERR pkt-line; a line with its LF.
  quiet_answer(bool keeps_alive, std::string error) : keeps_alive_(keeps_alive), error_(std::move(error)) {}

  /// Appends what goes on of the next bytes: all but bands 2 and 3 and the words of ERR pkt-lines, up to a pack without
  /// bands. Error: not pkt-lines.
  result<void> feed(std::string_view bytes, std::string& out);

 private:
  enum class doing : std::uint8_t { begins, passes, skips, passes_all };
  enum class kind : std::uint8_t { data, progress, error, err_line };
  bool take(std::string_view& bytes, std::size_t size);
  result<void> begin(std::string_view& bytes, std::string& out);
  static kind kind_of(std::string_view payload) noexcept;
  void say(kind what, std::string& out) const;

  bool keeps_alive_;
  std::string error_;
  doing doing_ = doing::begins;
  std::string front_;     // of a pkt-line: length, and the first bytes of the payload
  std::size_t left_ = 0;  // of the pkt-line
};

}  // namespace tankard::protocol
