#include "protocol/errc.hpp"

#include <string>

namespace tankard::protocol {
namespace {

const char* describe(int code) noexcept {
  switch (static_cast<errc>(code)) {
    case errc::bad_pkt_length:
      return "pkt-line length is not valid";
    case errc::pkt_too_long:
      return "pkt-line is longer than 65520 bytes";
    case errc::truncated:
      return "message ends early";
    case errc::unexpected_packet:
      return "packet stands where the grammar has none";
    case errc::trailing_data:
      return "bytes after the end of the message";
    case errc::bad_oid:
      return "object name is not valid";
    case errc::bad_capability:
      return "capability is not valid";
    case errc::bad_command:
      return "request does not begin with one command";
    case errc::bad_argument:
      return "argument is not valid";
    case errc::too_many:
      return "too many lines";
    case errc::bad_ref_line:
      return "ref line is not valid";
    case errc::unknown_section:
      return "section of the response is not known";
    case errc::bad_band:
      return "sideband packet is not valid";
    case errc::remote_error:
      return "the peer says ERR";
  }
  return "unknown protocol error";
}

class protocol_category final : public boost::system::error_category {
 public:
  constexpr protocol_category() noexcept : error_category{0x7d1f2a9c40b85e63} {}
  const char* name() const noexcept override { return "tankard.protocol"; }
  std::string message(int code) const override { return describe(code); }
  const char* message(int code, char*, std::size_t) const noexcept override { return describe(code); }
};

constexpr protocol_category the_category;

}  // namespace

const boost::system::error_category& error_category() noexcept { return the_category; }

}  // namespace tankard::protocol
