#include "proxy/net/memory_budget.hpp"

#include <algorithm>

namespace tankard::proxy::net {
namespace {

constexpr std::size_t first_claim = 16u << 10;

}  // namespace

bool memory_budget::take(std::size_t bytes) noexcept {
  std::size_t used = used_.load(std::memory_order_relaxed);
  do {
    if (bytes > limit_ || used > limit_ - bytes) return false;
  } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  return true;
}

void memory_budget::give_back(std::size_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }

std::size_t memory_budget::used() const noexcept { return used_.load(std::memory_order_relaxed); }

memory_claim::memory_claim(memory_budget& of, std::size_t taken) noexcept : of_(&of), size_(taken) {}

memory_claim& memory_claim::operator=(memory_claim&& other) noexcept {
  memory_claim old(std::move(other));
  std::swap(of_, old.of_);
  std::swap(size_, old.size_);
  return *this;
}

memory_claim::~memory_claim() {
  if (of_ != nullptr) of_->give_back(size_);
}

bool memory_claim::grow(std::size_t bytes) noexcept {
  if (of_ == nullptr || !of_->take(bytes)) return false;
  size_ += bytes;
  return true;
}

bool reserve_claimed(std::string& text, memory_claim& claim, std::size_t size, std::size_t most) {
  if (size <= claim.size()) return true;
  const std::size_t wanted = std::max(size, std::min(most, std::max(first_claim, 2 * claim.size())));
  if (!claim.grow(wanted - claim.size())) return false;
  text.reserve(wanted);
  return true;
}

}  // namespace tankard::proxy::net
