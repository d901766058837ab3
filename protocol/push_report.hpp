#pragma once
// What receive-pack says became of a push (gitprotocol-pack "Report Status"), read from a copy of bytes that pass by;
// and such a report of tankard's own, for a push that is refused.

#include <string>
#include <string_view>
#include <vector>

#include "protocol/push_request.hpp"

namespace tankard::protocol {

/// Reads the report to `asked` from an answer that comes in pieces; memory is bounded whatever comes.
class push_report_reader {
 public:
  /// `asked` must outlive the reader.
  explicit push_report_reader(const push_request& asked) : asked_(asked), broken_(!asked.wants_report) {}

  void feed(std::string_view piece);
  /// The report came whole.
  bool whole() const noexcept { return whole_ && !broken_; }
  /// The updates of `asked` that were made, as the server made them: it may have chosen another name or value
  /// (report-status-v2). Of a report that is not whole: none.
  std::vector<ref_update> made() const;

 private:
  bool take_outer(const pkt& line);
  bool take(const pkt& line);
  void take_option(std::string_view text);

  const push_request& asked_;
  bool broken_;
  bool whole_ = false;
  bool last_was_ok_ = false;  ///< option lines that follow are about made_.back()
  pkt_feed outer_, lines_;
  std::vector<ref_update> made_;
};

/// A whole answer to `asked` that refuses all of it with `sentence`, so that git shows it. REQUIRES: wants_report.
std::string write_push_refusal(const push_request& asked, std::string_view sentence);

}  // namespace tankard::protocol
