#pragma once
// A digest as the key of a hash table: its first bytes are as good as any hash of it.

#include <cstddef>
#include <cstring>

#include "cache/io/sha256.hpp"

namespace tankard::cache {

struct digest_hash {
  std::size_t operator()(const sha256_digest& d) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, d.data(), sizeof out);
    return out;
  }
};

}  // namespace tankard::cache
