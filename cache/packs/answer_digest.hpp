#pragma once
// An answer to fetch that is to be kept, read once more: the digest of all of it, provided the pack in it is a whole
// one. When it has been sent, because most answers are not kept, and those who wait for one need neither.

#include <boost/system/result.hpp>
#include <cstdint>
#include <string_view>

#include "cache/io/sha256.hpp"
#include "cache/packs/pack_check.hpp"
#include "protocol/fetch_answer.hpp"
#include "protocol/object_id.hpp"

namespace tankard::cache {

/// Sans-IO. Memory: at most one text pkt-line and a pack trailer. One thread at a time.
class answer_digest {
 public:
  answer_digest(protocol::object_format format, const protocol::answer_form& form) : reader_(form), pack_(format) {}

  void feed(std::string_view bytes);
  /// REQUIRES: that was all. Errors: bad_message where it is no answer to fetch, or the pack in it is cut or damaged.
  boost::system::result<sha256_digest> finish();

 private:
  sha256 all_;
  protocol::fetch_answer_reader reader_;
  pack_check pack_;
  bool readable_ = true;
};

/// Blocking. Of the first `size` bytes of an open file. Errors: also those of read_through().
boost::system::result<sha256_digest> digest_answer(int fd, std::uint64_t size, protocol::object_format format,
                                                   const protocol::answer_form& form);

}  // namespace tankard::cache
