#include "cache/packs/pack_check.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <new>

namespace tankard::cache {
namespace {

constexpr std::size_t header_size = 12;  // "PACK", version, number of objects

void check(int ok) {
  if (ok != 1) throw std::bad_alloc();  // no other cause is left
}

}  // namespace

struct pack_check::context {
  context() : evp(::EVP_MD_CTX_new()) { check(evp != nullptr ? 1 : 0); }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() { ::EVP_MD_CTX_free(evp); }
  EVP_MD_CTX* evp;
};

pack_check::pack_check(protocol::object_format format)
    : context_(std::make_unique<context>()), trailer_size_(protocol::raw_size(format)) {
  check(::EVP_DigestInit_ex(context_->evp, format == protocol::object_format::sha1 ? ::EVP_sha1() : ::EVP_sha256(),
                            nullptr));
}
pack_check::pack_check(pack_check&&) noexcept = default;
pack_check& pack_check::operator=(pack_check&&) noexcept = default;
pack_check::~pack_check() = default;

void pack_check::digest(std::string_view bytes) {
  check(::EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()));
}

void pack_check::update(std::string_view bytes) {
  if (head_.size() < header_size) head_ += bytes.substr(0, header_size - head_.size());
  auto const all = tail_.size() + bytes.size();
  auto const spent = all - std::min(all, trailer_size_);  // bytes that cannot be the trailer any more
  auto const of_tail = std::min(spent, tail_.size());
  digest(std::string_view(tail_).substr(0, of_tail));
  digest(bytes.substr(0, spent - of_tail));
  tail_.erase(0, of_tail);
  tail_ += bytes.substr(spent - of_tail);
}

bool pack_check::whole() const {
  using namespace std::string_view_literals;
  bool const named =
      head_.size() == header_size && head_.starts_with("PACK\0\0\0"sv) && (head_[7] == 2 || head_[7] == 3);
  if (!named || tail_.size() != trailer_size_) return false;
  context const copy;
  check(::EVP_MD_CTX_copy_ex(copy.evp, context_->evp));
  std::array<unsigned char, EVP_MAX_MD_SIZE> made{};
  check(::EVP_DigestFinal_ex(copy.evp, made.data(), nullptr));
  return std::equal(tail_.begin(), tail_.end(), made.begin(),
                    [](char a, unsigned char b) { return static_cast<unsigned char>(a) == b; });
}

}  // namespace tankard::cache
