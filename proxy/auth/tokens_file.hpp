#pragma once
// The tokens that admit clients, as digests: lines `NAME:sha256:<64 hex>`, blank lines, and `#` comments. Pure.
// Thread-safe to read.

#include <array>
#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tankard::proxy::auth {

class token_list {
 public:
  /// One bad line refuses the whole text. The error is the end of a sentence, "has in line 3 no ...", and repeats
  /// nothing: somebody may have put the token itself there.
  static boost::system::result<token_list, std::string> parse(std::string_view text);

  /// Takes equally long whatever the token is and wherever it stands.
  bool holds(std::string_view token) const noexcept;
  std::size_t size() const noexcept { return digests_.size(); }

 private:
  std::vector<std::array<unsigned char, 32>> digests_;
};

}  // namespace tankard::proxy::auth
