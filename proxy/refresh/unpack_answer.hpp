#pragma once
// Takes the pack out of a kept answer to fetch, so that it can become a store's first one: off the client's path, when
// the answer has been sent.

#include <cstdint>
#include <memory>

#include "cache/packs/pack_cache.hpp"
#include "cache/spool/spool.hpp"
#include "cache/store/store_ingest.hpp"
#include "protocol/fetch_answer.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

/// A kept answer, and how it is framed.
struct kept_answer {
  std::shared_ptr<const void> held;  ///< what keeps `fd` open
  int fd = -1;
  std::uint64_t size = 0;
  protocol::answer_form form{};

  /// REQUIRES: the spool is sealed, and has a file.
  static kept_answer of(const cache::spool_ptr& spool, const protocol::answer_form& form) {
    return {spool, spool->fd(), spool->size(), form};
  }
  static kept_answer of(const cache::cached_pack_ptr& pack, const protocol::answer_form& form) {
    return {pack, pack->fd.get(), pack->size, form};
  }
};

/// The error is a sentence: no room, or not an answer with a pack.
awaitable<cache::ingest_result<std::unique_ptr<cache::pack_spool>>> unpack_answer(services& s,
                                                                                  const kept_answer& answer);

}  // namespace tankard::proxy::refresh
