#pragma once
// Listings in protocol v0 and v1, where GET info/refs is the whole listing: how one is taken into a ref table, and made
// of one. Pure. Thread-safe.

#include <string>

#include "cache/listing/question_book.hpp"
#include "cache/listing/ref_table.hpp"
#include "protocol/advertisement.hpp"

namespace tankard::cache {

/// What such a listing answers: every ref, with all that can be known of it.
protocol::ls_refs_request whole_listing();
/// The name of such a GET among the raw answers. `version` is what was asked for: an old host answers who asks for v2
/// with a listing, too.
std::string info_refs_canonical(int version);
/// Such a GET as a question. `version`: 0, 1 or 2.
ls_refs_question_ptr info_refs_question(int version);

/// The listing as the answer to whole_listing(). v0 tells neither of an unborn HEAD (git < 2.41) nor where a symref
/// other than HEAD points: of these stays what `former` knows, where the listing does not contradict it. `former` may
/// be null.
protocol::ls_refs_response listing_of(const protocol::v0_advertisement& told, const ref_table* former);

/// A listing made of the table, all of which must be known. `value_of` as in project().
std::string project_v0(const ref_table& table, int version, const protocol::capability_list& offered,
                       const value_lookup& value_of = {});

}  // namespace tankard::cache
