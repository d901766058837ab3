#pragma once
// Places that a semaphore gave out, given back by the destructor. Movable; on any thread.

#include <cstddef>
#include <memory>
#include <utility>

namespace tankard::cache {

/// `Owner` has release(places), which does not throw.
template <class Owner>
class semaphore_permit {
 public:
  semaphore_permit(semaphore_permit&&) noexcept = default;
  semaphore_permit& operator=(semaphore_permit&& other) noexcept {
    if (this == &other) return *this;
    auto const old = std::exchange(owner_, std::move(other.owner_));
    auto const places = std::exchange(places_, other.places_);
    if (old) old->release(places);
    return *this;
  }
  ~semaphore_permit() {
    if (owner_) owner_->release(places_);
  }

 private:
  friend Owner;
  explicit semaphore_permit(std::shared_ptr<Owner> owner, std::size_t places = 1)
      : owner_(std::move(owner)), places_(places) {}

  std::shared_ptr<Owner> owner_;  // null once moved from
  std::size_t places_;
};

}  // namespace tankard::cache
