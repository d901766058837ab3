#pragma once
// ls-refs requests that were parsed lately, by their bytes: git asks in the same words again and again. What a question
// is does not depend on who asks or of what, so nothing here needs a decision. Thread-safe. Bounded: `places` requests
// of at most `longest` bytes; one takes the place of another whose hash is the same.

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "protocol/ls_refs.hpp"

namespace tankard::cache {

struct ls_refs_question {
  explicit ls_refs_question(protocol::ls_refs_request a) : asked(std::move(a)), canonical(asked.canonical()) {}
  /// One that is put in another way than by ls-refs, and named so.
  ls_refs_question(protocol::ls_refs_request a, std::string name) : asked(std::move(a)), canonical(std::move(name)) {}

  protocol::ls_refs_request asked;
  std::string canonical;  ///< names the question; that of ls-refs is asked.canonical()
};
/// Immutable.
using ls_refs_question_ptr = std::shared_ptr<const ls_refs_question>;

class question_book {
 public:
  static constexpr std::size_t places = 256;
  static constexpr std::size_t longest = 2048;

  /// Null where it was not kept. `body` is that of the whole request.
  ls_refs_question_ptr find(std::string_view body) const;
  /// One that is too long, or upstream's to answer (server options, unknown capabilities), is not kept.
  void keep(std::string_view body, const ls_refs_question_ptr& question);

 private:
  struct place {
    std::string body;
    ls_refs_question_ptr question;
  };
  mutable std::mutex mu_;
  std::array<place, places> places_;  // guarded by mu_
};

}  // namespace tankard::cache
