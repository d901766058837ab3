#pragma once
// Networks as operators write them: "10.0.0.0/8", "2001:db8::/32", "192.0.2.7", and "unix" for whoever comes by a Unix
// socket. Pure. Immutable once made; thread-safe.

#include <array>
#include <boost/system/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tankard::proxy::net {

class address_ranges {
 public:
  static constexpr std::string_view unix_peer = "unix";  ///< what stands for an address where there is none
  static constexpr std::size_t most = 4096;              ///< entries: each look-up walks them

  address_ranges() = default;  ///< contains nothing

  /// A bare address is a range of one. Host bits must be zero ("10.1.2.3/8" is somebody's mistake). An IPv4-mapped
  /// range is the IPv4 one. The error is the end of a sentence: "has `10.0.0.0/33`, whose length is beyond 32".
  static boost::system::result<address_ranges, std::string> parse(const std::vector<std::string>& texts);

  /// `address` as connections and headers give it, without port; a zone ("%eth0") is ignored. IPv4-mapped addresses are
  /// IPv4 ones, and "::/0" holds no IPv4. False for whatever is no address.
  bool contains(std::string_view address) const noexcept;
  bool empty() const noexcept { return !unix_ && ranges_.empty(); }

 private:
  struct range {
    bool v4 = false;
    std::array<std::uint8_t, 16> base{};  // an IPv4 address in the first four
    unsigned length = 0;
  };
  static boost::system::result<range, std::string> parse_range(std::string_view text);

  bool unix_ = false;
  std::vector<range> ranges_;
};

/// The address in its one spelling (RFC 5952; IPv4-mapped as IPv4, no zone); empty where `text` is none.
std::string canonical_address(std::string_view text);

}  // namespace tankard::proxy::net
