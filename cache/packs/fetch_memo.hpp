#pragma once
// What a fetch has to know of the table and the advertisement that it meets, worked out once for each of them: with
// 100,000 tags that is a matter of tens of milliseconds, and every fetch asks two or three times.
//
// An entry belongs to one immutable value, by its identity: after a change there is another value, and the entry is
// left behind. Thread-safe. Bounded by bytes; the longest unused goes. Two who ask at once may both work it out.

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cache/io/sha256.hpp"
#include "cache/listing/ref_table.hpp"
#include "protocol/advertisement.hpp"

namespace tankard::cache {

using ref_table_ptr = std::shared_ptr<const ref_table>;
using v2_advertisement_ptr = std::shared_ptr<const protocol::v2_advertisement>;

class fetch_memo {
 public:
  static constexpr std::size_t default_max_bytes = 16u << 20;
  explicit fetch_memo(std::size_t max_bytes = default_max_bytes) : max_bytes_(max_bytes) {}

  /// tags_digest() of the table.
  sha256_digest tags_of(const ref_table_ptr& table);
  /// Whether that would cost a look-up only.
  bool knows_tags_of(const ref_table_ptr& table);
  /// A v2 advertisement, parsed; null where it is none.
  v2_advertisement_ptr offered_by(const std::shared_ptr<const std::string>& advertisement);

  std::size_t worked_out() const;  ///< so often something was, so far
  std::size_t bytes() const;

 private:
  using any_ptr = std::shared_ptr<const void>;
  struct entry {
    const void* address;
    std::weak_ptr<const void> of;
    any_ptr what;  // null is a value, too
    std::size_t charge;
  };
  using entry_list = std::list<entry>;

  /// The same for all of one kind: what is found for an `of` was made for it by the same function.
  any_ptr find_or_make(const any_ptr& of, const std::function<any_ptr()>& make, std::size_t bytes);
  // REQUIRE: mu_.
  entry_list::iterator look_up(const any_ptr& of);
  void drop(entry_list::iterator at, entry_list& dropped);

  const std::size_t max_bytes_;
  mutable std::mutex mu_;
  entry_list entries_;                                           // guarded by mu_; the last used first
  std::unordered_map<const void*, entry_list::iterator> index_;  // guarded by mu_; by address
  std::size_t bytes_ = 0;                                        // guarded by mu_
  std::size_t worked_out_ = 0;                                   // guarded by mu_
};

}  // namespace tankard::cache
