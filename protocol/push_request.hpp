#pragma once
// The head of a POST git-receive-pack (gitprotocol-pack "Reference Update Request and Packfile Transfer"): which refs
// are to be updated. It is read from a copy of bytes that pass by; the pack behind it is never looked at.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/object_id.hpp"
#include "protocol/pkt_feed.hpp"

namespace tankard::protocol {

/// Most commands of one push that are remembered, and longest name; others are only counted.
inline constexpr std::size_t max_remembered_updates = 64;
inline constexpr std::size_t max_remembered_name = 255;

/// One command. An all-zero `before` creates the ref, an all-zero `after` deletes it.
struct ref_update {
  std::string name{};
  object_id before{};
  object_id after{};
  friend bool operator==(const ref_update&, const ref_update&) = default;
};

struct push_request {
  std::vector<ref_update> updates{};  ///< the first of them, with valid names, in the client's order
  std::size_t commands = 0;           ///< all of them; 0 = a probe, which asks for nothing
  bool wants_report = false;          ///< report-status or report-status-v2
  bool side_band = false;             ///< side-band-64k: the report comes on band 1
};

/// Reads that head from a body that comes in pieces; memory is bounded whatever comes. A signed push (push-cert) has
/// its commands inside the certificate.
class push_request_reader {
 public:
  /// What follows the flush-pkt of the head is ignored. REQUIRES: inflated bytes.
  void feed(std::string_view piece);
  /// Nothing more is wanted: the head is whole, or cannot be read.
  bool done() const noexcept { return place_ >= place::whole; }
  /// The head, once it is whole; nullptr before that, and where it is none.
  const push_request* request() const noexcept { return place_ == place::whole ? &request_ : nullptr; }

 private:
  enum class place : std::uint8_t { first, commands, certificate_head, certificate, certificate_end, whole, broken };

  void take(const pkt& line);
  void take_first(std::string_view text);
  void take_command(std::string_view text, bool must_be_one);
  void read_capabilities(std::string_view words);

  pkt_feed lines_;
  place place_ = place::first;
  push_request request_;
};

}  // namespace tankard::protocol
