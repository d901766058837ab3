#pragma once
// The answer to a fetch in whatever protocol it was asked for: read by one reader, and written anew in the same form.

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/fetch_response.hpp"
#include "protocol/sideband.hpp"
#include "protocol/v0_response.hpp"

namespace tankard::protocol {

/// What of a question shapes the answer around the pack. As it is: v2.
struct answer_form {
  bool v2 = true;
  v0_framing::band bands = v0_framing::band::side_64k;
  bool shallow_info = false;  ///< of v0: it begins with shallow lines and a flush-pkt

  bool has_bands() const noexcept { return bands != v0_framing::band::none; }
  std::size_t most_band_data() const noexcept {
    return bands == v0_framing::band::side ? max_small_band_data : max_band_data;
  }
};
answer_form form_of(const v0_request& request) noexcept;

/// fetch_response_reader or v0_response_reader; see there.
class fetch_answer_reader {
 public:
  explicit fetch_answer_reader(const answer_form& form);

  result<fetch_event> next(std::string_view in);
  /// The message has ended. Error: truncated where it may not end here.
  result<void> finish();

  bool ended() const noexcept;
  bool saw_packfile() const noexcept;
  bool failed() const noexcept;
  /// An `error` event now is one of band 3; before the pack it is an ERR pkt-line.
  bool in_packfile() const noexcept;
  /// The section of v2; none for v0.
  fetch_section section() const noexcept;
  /// True where a band-2 pkt-line may be put before the next byte.
  bool takes_notes() const noexcept;

 private:
  std::variant<fetch_response_reader, v0_response_reader> reader_;
};

/// Appends `data` on band `b`, as the form frames it. Where it has no bands only the pack is put out, as it is.
void append_band(std::string& out, const answer_form& form, band b, std::string_view data);
/// Appends what stands behind a section, or behind the shallow lines of v0.
void append_section_end(std::string& out, const answer_form& form);
/// One progress line, as in sideband.hpp. REQUIRES: bands.
std::string progress_pkt(const answer_form& form, std::string_view text);

}  // namespace tankard::protocol
