#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "cache/spool/spool_impl.hpp"

namespace tankard::cache {
namespace {

namespace errc = boost::system::errc;
using done = boost::system::result<void>;

}  // namespace

boost::system::result<std::unique_ptr<spool_writer>> spool_writer::create(const spool_options& options,
                                                                          blocking_pool& pool, spool_budget& budget) {
  auto file = spool_file::create(options.folder);
  if (!file) return file.error();
  auto impl = std::make_unique<spool::impl>(options, pool, budget, std::move(*file));
  return std::unique_ptr<spool_writer>(new spool_writer(spool_ptr(new spool(std::move(impl)))));
}

spool_writer::~spool_writer() { fail("its writer went away"); }
void spool_writer::seal() noexcept {
  if (lacks_a_piece_) return fail("a piece of it was not written");
  ring_all(spool_->impl_->finish(spool_end::sealed, {}));
}
void spool_writer::fail(std::string cause) noexcept {
  ring_all(spool_->impl_->finish(spool_end::failed, std::move(cause)));
}

void spool_writer::become_window() noexcept {
  if (spool_->impl_->open_window()) spool_->free_what_was_read();
}

bool spool_writer::wanted() const {
  std::lock_guard const lock(spool_->impl_->mu);
  return spool_->impl_->wanted();
}

awaitable<done> spool_writer::append(std::string_view bytes) {
  auto const& s = *spool_->impl_;
  if (spool_->ended()) co_return make_error_code(errc::operation_not_permitted);
  bool const lacked_one = std::exchange(lacks_a_piece_, true);
  if (auto const size = spool_->size(); bytes.size() > s.options.max_bytes - std::min(size, s.options.max_bytes))
    co_return make_error_code(errc::file_too_large);
  while (!bytes.empty()) {
    auto const piece = bytes.substr(0, spool_piece);
    auto const appended = co_await append_piece(piece);
    if (!appended) co_return appended;
    bytes.remove_prefix(piece.size());
  }
  lacks_a_piece_ = lacked_one;
  co_return done{};
}

awaitable<done> spool_writer::append_piece(std::string_view bytes) {
  auto& s = *spool_->impl_;
  if (auto const room = co_await wait_for_room(bytes.size()); !room) co_return room;
  auto const freed = s.freed_so_far();
  auto stored = co_await store(bytes);
  if (stored.has_error() && stored.error() == errc::no_space_on_device && s.open_window())
    stored = co_await store_in_window(bytes, freed);
  if (!stored) co_return stored;
  ring_all(s.publish(bytes.size()));
  co_return done{};
}

awaitable<done> spool_writer::store(std::string_view bytes) {
  auto& s = *spool_->impl_;
  std::shared_ptr<spool_file> file;
  {
    std::lock_guard const lock(s.mu);
    if (!s.budget.try_store(bytes.size())) co_return make_error_code(errc::no_space_on_device);
    s.stored += bytes.size();
    file = s.file;
  }
  auto job = [file = std::move(file), bytes] { return file->append(bytes); };
  auto const written = co_await s.pool.run(std::move(job));
  if (!written) {
    std::lock_guard const lock(s.mu);
    s.stored -= bytes.size();
    s.budget.unstore(bytes.size());
  }
  co_return written;
}

/// One wait of a writer that is held back: in the spool's sight and in the budget's queue. Its end gives back what was
/// granted too late, also where the coroutine is cancelled or destroyed.
struct spool_writer::held {
  held(spool::impl& of, spool_budget::waiter& w) : s(of), me(w) {}  // REQUIRES: s.mu is held
  held(const held&) = delete;
  held& operator=(const held&) = delete;
  ~held() { go_on(false); }

  // True where the bytes were granted, and are reserved for the next piece.
  bool go_on(bool if_granted) {
    if (std::exchange(left, true)) return false;
    wake_list woken;
    bool reserved = false;
    {
      std::lock_guard const lock(s.mu);
      s.held_back.reset();
      auto out = s.budget.leave(me);
      woken = std::move(out.next);
      reserved = out.granted && if_granted && !s.followers.empty();
      if (reserved) {
        s.charged += me.bytes;
        s.reserved = me.bytes;
      } else if (out.granted) {
        append_to(woken, s.budget.fall_back(me.bytes));
      }
    }
    ring_all(std::move(woken));
    return reserved;
  }

  spool::impl& s;
  spool_budget::waiter& me;
  bool left = false;
};

awaitable<done> spool_writer::wait_for_room(std::uint64_t bytes) {
  auto& s = *spool_->impl_;
  auto const ex = co_await asio::this_coro::executor;
  while (true) {
    spool_budget::waiter me{bytes, nullptr};
    std::optional<held> waiting;
    {
      std::lock_guard const lock(s.mu);
      if (!s.wanted()) co_return make_error_code(errc::operation_canceled);
      if (s.reserve(bytes)) co_return done{};
      me.timer = make_wake_timer(ex, wake_timer::duration::max());
      s.held_back = me.timer;
      s.budget.enter(me);
      waiting.emplace(s, me);
    }
    co_await me.timer->async_wait(use_nothrow);
    auto const state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return make_error_code(errc::operation_canceled);
    if (waiting->go_on(true)) co_return done{};
  }
}

}  // namespace tankard::cache
