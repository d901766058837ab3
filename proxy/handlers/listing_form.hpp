#pragma once
// What differs between the two ways to ask for a listing (listing.hpp).

#include <memory>
#include <string>
#include <string_view>

#include "proxy/handlers/listing.hpp"
#include "proxy/handlers/shown_refs.hpp"
#include "proxy/refresh/listing_service.hpp"

namespace tankard::proxy::handlers {

std::string_view content_type(const listing_question& q) noexcept;

/// The question as one to memory. It lives as long as `q`. REQUIRES: a snapshot, and what is remembered of it.
asked_listing in_memory(const listing_question& q) noexcept;

/// Asks upstream, together with all who ask the same.
awaitable<refresh::listing_wait> ask_upstream(const listing_question& q, std::chrono::nanoseconds patience);

/// The client's part of a good answer. Keeps it as a raw answer.
awaitable<std::shared_ptr<const std::string>> shown_from_upstream(const listing_question& q,
                                                                  const refresh::listing_wait& wait);

/// The advertisement of v2 as upstream sent it, with the capabilities that a client is shown.
std::shared_ptr<const std::string> shown_advertisement(std::shared_ptr<const std::string> body, bool outage);
/// The same of a good answer to info/refs, in any version.
std::shared_ptr<const std::string> shown_info_refs(const refresh::listing_outcome& good);

}  // namespace tankard::proxy::handlers
