#pragma once
// A folder, a pool and a budget for spools; coroutines that write and read them.

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>
#include <memory>
#include <string>

#include "cache/spool/spool.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::test {

/// Text in which every place differs from its neighbours: byte i tells i.
inline std::string pattern(std::size_t size, std::size_t from = 0) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    auto const at = from + i;
    out[i] = static_cast<char>((at ^ (at >> 8) ^ (at >> 16)) & 0xff);
  }
  return out;
}

struct was_read {
  std::string bytes;
  boost::system::error_code error;
  bool at_end = false;
};

/// Reads until the end, or until it has `limit` bytes.
inline awaitable<was_read> read_all(cache::spool_follower& f, std::size_t buffer_size = 64 << 10,
                                    std::size_t limit = static_cast<std::size_t>(-1)) {
  was_read out;
  std::string buffer(buffer_size, '\0');
  while (out.bytes.size() < limit) {
    auto const want = std::min(buffer.size(), limit - out.bytes.size());
    auto const got = co_await f.read(asio::buffer(buffer.data(), want));
    if (!got) {
      out.error = got.error();
      break;
    }
    out.bytes.append(buffer, 0, got->bytes);
    out.at_end = got->at_end;
    if (out.at_end) break;
  }
  co_return out;
}

class SpoolFixture : public testing::Test {
 protected:
  ~SpoolFixture() override { pool.join(); }

  std::unique_ptr<cache::spool_writer> create() { return *cache::spool_writer::create(options, pool, *budget); }
  boost::system::result<void> append(cache::spool_writer& w, std::string_view bytes) {
    return run(io, w.append(bytes));
  }
  was_read read(cache::spool_follower& f, std::size_t buffer = 64 << 10,
                std::size_t limit = static_cast<std::size_t>(-1)) {
    return run(io, read_all(f, buffer, limit));
  }
  /// Starts an append that may have to wait; its result is in the returned place once it ended.
  struct pending {
    bool done = false;
    boost::system::result<void> result;
  };
  std::shared_ptr<pending> begin_append(cache::spool_writer& w, std::string bytes) {
    auto out = std::make_shared<pending>();
    asio::co_spawn(io, do_append(w, std::move(bytes), out), [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
    return out;
  }
  /// Until no handler is ready and no job is left: whoever still waits, waits for somebody.
  void settle() {
    auto const guard = asio::make_work_guard(io);
    do {
      io.restart();
      while (io.poll() > 0) io.restart();
      while (pool.queued() > 0) run_through_pool();
      run_through_pool();
      io.restart();
    } while (io.poll() > 0);
  }
  void wait_for(const pending& p) {
    run_until(io, [&] { return p.done; });
  }

  temp_dir dir;
  asio::io_context io{1};
  cache::blocking_pool pool{1};
  std::unique_ptr<cache::spool_budget> budget = std::make_unique<cache::spool_budget>(cache::spool_limits{});
  cache::spool_options options{.folder = dir.path() / "spools", .max_bytes = 1u << 30, .max_alone = 0};

 private:
  // The pool has one thread: what comes after a job in it has come after all that the job did.
  void run_through_pool() {
    std::promise<void> idle;
    asio::post(pool.pool(), [&] { idle.set_value(); });
    idle.get_future().wait();
  }
  static awaitable<void> do_append(cache::spool_writer& w, std::string bytes, std::shared_ptr<pending> out) {
    out->result = co_await w.append(bytes);
    out->done = true;
  }
};

}  // namespace tankard::test
