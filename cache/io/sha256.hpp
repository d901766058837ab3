#pragma once
// SHA-256 of bytes that come in pieces. One thread at a time.

#include <array>
#include <memory>
#include <string>
#include <string_view>

namespace tankard::cache {

using sha256_digest = std::array<unsigned char, 32>;

class sha256 {
 public:
  sha256();
  sha256(sha256&&) noexcept;
  sha256& operator=(sha256&&) noexcept;
  ~sha256();

  void update(std::string_view bytes);
  /// Of all that came. The object is used up then.
  sha256_digest finish();

  static sha256_digest of(std::string_view bytes);

 private:
  struct context;
  std::unique_ptr<context> context_;
};

/// In lower-case hex.
std::string to_hex(const sha256_digest& digest);

}  // namespace tankard::cache
