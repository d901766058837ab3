#pragma once
// Whether bytes that stream by are one whole pack: header, and a trailer that is the digest of all before it
// (gitformat-pack). Memory: one trailer. One thread at a time.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/object_id.hpp"

namespace tankard::cache {

class pack_check {
 public:
  explicit pack_check(protocol::object_format format);
  pack_check(pack_check&&) noexcept;
  pack_check& operator=(pack_check&&) noexcept;
  ~pack_check();

  void update(std::string_view bytes);
  /// What came so far is a whole pack.
  bool whole() const;

 private:
  struct context;
  void digest(std::string_view bytes);

  std::unique_ptr<context> context_;
  std::string head_;  // the first 12 bytes
  std::string tail_;  // the last bytes, as many as a trailer has: not in the digest yet
  std::size_t trailer_size_;
};

}  // namespace tankard::cache
