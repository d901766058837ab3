#include "cache/listing/question_book.hpp"

#include <functional>
#include <utility>

namespace tankard::cache {
namespace {

std::size_t place_of(std::string_view body) noexcept {
  return std::hash<std::string_view>{}(body) % question_book::places;
}

}  // namespace

ls_refs_question_ptr question_book::find(std::string_view body) const {
  if (body.size() > longest) return nullptr;
  auto const at = place_of(body);
  std::lock_guard const lock(mu_);
  auto const& place = places_[at];
  return place.question && place.body == body ? place.question : nullptr;
}

void question_book::keep(std::string_view body, const ls_refs_question_ptr& question) {
  auto const& asked = question->asked;
  if (body.size() > longest || !asked.server_options.empty() || !asked.bypass_capabilities.empty()) return;
  place next{std::string(body), question};
  auto const at = place_of(body);
  std::lock_guard const lock(mu_);
  std::swap(places_[at], next);  // the former one is freed after the lock
}

}  // namespace tankard::cache
