#pragma once
// How an operator names client certificates: "dns:runner.corp", "sha256:<fingerprint>". A name without its kind is
// none: who may choose one kind of name of his certificate could pose as another. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tankard::proxy::config {

struct certificate_name {
  enum class kind : std::uint8_t { dns, uri, email, common_name, subject, sha256 };
  kind type = kind::dns;
  std::string value;  ///< of sha256: 64 lower-case hexadecimal digits
};

/// The error is the end of a sentence: "has `x`, which ...".
struct certificate_name_result {
  std::optional<certificate_name> name;
  std::string problem;
};
certificate_name_result parse_certificate_name(std::string_view text);

}  // namespace tankard::proxy::config
