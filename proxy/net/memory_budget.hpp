#pragma once
// Memory that many share: whoever is about to hold much claims it first, and is refused where the limit is reached.

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>

namespace tankard::proxy::net {

/// Bytes that may be in memory at one time, over all who claim from it. Thread-safe.
class memory_budget {
 public:
  explicit memory_budget(std::size_t limit) : limit_(limit) {}
  memory_budget(const memory_budget&) = delete;
  memory_budget& operator=(const memory_budget&) = delete;

  bool take(std::size_t bytes) noexcept;  ///< all or, with false, nothing
  void give_back(std::size_t bytes) noexcept;
  std::size_t used() const noexcept;
  std::size_t limit() const noexcept { return limit_; }

 private:
  std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

/// What one holder has taken, given back when it goes. The budget outlives it. Movable, not thread-safe.
class memory_claim {
 public:
  memory_claim() = default;  ///< of no budget: cannot grow
  explicit memory_claim(memory_budget& of) noexcept : memory_claim(of, 0) {}
  memory_claim(memory_budget& of, std::size_t taken) noexcept;  ///< from now on answers for `taken` bytes
  memory_claim(memory_claim&& other) noexcept
      : of_(std::exchange(other.of_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  memory_claim& operator=(memory_claim&& other) noexcept;
  ~memory_claim();

  bool grow(std::size_t bytes) noexcept;  ///< so many more; false: nothing changed
  std::size_t size() const noexcept { return size_; }

 private:
  memory_budget* of_ = nullptr;
  std::size_t size_ = 0;
};

/// Makes room for `size` bytes in `text`, claimed before it is allocated: at least doubles, up to `most`. False: the
/// claim cannot grow, nothing changed. REQUIRES: size <= most; `claim` grows for this text only.
bool reserve_claimed(std::string& text, memory_claim& claim, std::size_t size, std::size_t most);

}  // namespace tankard::proxy::net
