#pragma once
// Takes the pack out of a kept answer to fetch, so that it can become a store's first one: off the client's path, when
// the answer has been sent.

#include <memory>

#include "cache/spool/spool.hpp"
#include "cache/store/store_ingest.hpp"
#include "protocol/fetch_answer.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

/// A kept answer, and how it is framed.
struct kept_answer {
  cache::spool_ptr spool;
  protocol::answer_form form{};
};

/// REQUIRES: `answer` is sealed. The error is a sentence: no room, or not an answer with a pack.
awaitable<cache::ingest_result<std::unique_ptr<cache::pack_spool>>> unpack_answer(services& s,
                                                                                  const kept_answer& answer);

}  // namespace tankard::proxy::refresh
