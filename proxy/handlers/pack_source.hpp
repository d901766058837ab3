#pragma once
// Where an answer to fetch comes from, piece by piece: git upload-pack on a store, or an upstream. Each tells health,
// metrics and log by itself how it ended.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "cache/io/fair_semaphore.hpp"
#include "cache/io/subprocess.hpp"
#include "cache/store/repo_store.hpp"
#include "cache/store/store_ingest.hpp"
#include "protocol/quiet_answer.hpp"
#include "proxy/services.hpp"
#include "proxy/upstream/classify.hpp"

namespace tankard::proxy::handlers {

/// Why an answer was not sent, or ended too early.
struct broken_source {
  proxy::reason reason = proxy::reason::store_failed;
  std::string cause;  ///< one clause
};
template <class T>
using from_source = boost::system::result<T, broken_source>;
[[noreturn]] void throw_exception_from_error(const broken_source& b, const boost::source_location& where);

/// Lives on one executor. Destroyed before its end: given up.
class pack_source {
 public:
  virtual ~pack_source() = default;
  /// 0 = the proper end. After that, or an error, nothing more is read.
  virtual awaitable<from_source<std::size_t>> read(asio::mutable_buffer into) = 0;
  /// Nobody wants the rest; then only destroyed.
  virtual awaitable<void> give_up(broken_source why) = 0;
};

/// `git upload-pack` on a store. Holds its place among the children, and the store, until the child has ended.
class child_source final : public pack_source {
 public:
  using permit = cache::fair_semaphore::permit;

  /// Starts it and feeds it `body`, the whole request. An error where it fails without a word. (To a request of v0 that
  /// waits for nothing the right answer is empty.)
  static awaitable<from_source<std::unique_ptr<child_source>>> start(services& s, cache::repo_store_ptr store,
                                                                     permit place, const std::string& body,
                                                                     cache::upload_pack_protocol protocol);
  awaitable<from_source<std::size_t>> read(asio::mutable_buffer into) override;
  awaitable<void> give_up(broken_source why) override;

 private:
  child_source(permit place, cache::repo_store_ptr store);
  awaitable<from_source<void>> read_first(bool fed);
  awaitable<from_source<std::size_t>> end(bool read_well);

  permit place_;
  cache::repo_store_ptr store_;
  cache::store_lease reading_;  // until the child has ended
  std::unique_ptr<cache::subprocess> child_;
  std::string first_;   // output that was read to see that there is some
  bool ended_ = false;  // well
};

/// Another source without what its host says on bands 2 and 3 (protocol/quiet_answer.hpp).
class quiet_source final : public pack_source {
 public:
  quiet_source(std::unique_ptr<pack_source> from, protocol::quiet_answer filter)
      : from_(std::move(from)), filter_(std::move(filter)) {}
  awaitable<from_source<std::size_t>> read(asio::mutable_buffer into) override;
  awaitable<void> give_up(broken_source why) override;

 private:
  std::unique_ptr<pack_source> from_;
  protocol::quiet_answer filter_;
  std::string piece_;   // as it came
  std::string passed_;  // and not handed out yet
};

/// A good answer of an upstream whose head was read.
class upstream_source final : public pack_source {
 public:
  struct question {
    repo_ref repo;
    auth::identity_ptr who;
    cache::boot_point begun;
  };
  /// `first`: what was read of the body already.
  upstream_source(services& s, question asked, std::unique_ptr<upstream::call> call, upstream::response_head head,
                  upstream::classified meaning, std::string first);
  awaitable<from_source<std::size_t>> read(asio::mutable_buffer into) override;
  awaitable<void> give_up(broken_source why) override;

 private:
  services& s_;
  question asked_;
  std::unique_ptr<upstream::call> call_;
  upstream::response_head head_;
  upstream::classified meaning_;
  std::string first_;
};

}  // namespace tankard::proxy::handlers
