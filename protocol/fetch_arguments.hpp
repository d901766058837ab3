#pragma once
// What the fetch requests of all protocol versions have in common: lines of a word and what follows it. For the parsers
// of fetch_request.hpp and v0_request.hpp only.

#include <string_view>

#include "protocol/fetch_request.hpp"

namespace tankard::protocol {

/// Reads one `want`, `have`, `shallow`, `deepen`, `deepen-since` or `filter` line; anything else goes to `bypass_args`.
/// Errors: bad_oid, bad_argument, too_many.
result<void> read_fetch_line(fetch_request& request, std::string_view line);
/// `why` is upstream's to answer.
void note_bypass(fetch_request& request, std::string_view why);
/// What can only be done once all lines are read. Error: bad_argument for lines that exclude each other.
result<void> finish_fetch_request(fetch_request& request);

}  // namespace tankard::protocol
