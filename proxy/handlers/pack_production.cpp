#include "proxy/handlers/pack_production.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <limits>

#include "cache/packs/answer_digest.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::handlers {
namespace {

using cache::keep_verdict;

/// With the framing that is put around it anew it is a piece of the spool at most, so that each published size is the
/// end of a pkt-line.
constexpr std::size_t piece = 248u << 10;

void give_up(production& p, const broken_source& why) {
  p.lead.flight()->note_broken(why.reason);
  p.writer->fail(why.cause);
}

broken_source why_not(const production& p, const protocol::result<void>& understood, bool wanted,
                      const boost::system::result<void>& written) {
  if (!understood) return {reason::not_git, "the answer is not one to fetch: " + understood.error().message()};
  if (!wanted) return {reason::client_gone, "all clients went away"};
  refresh::note_keep_failed(p.s, p.repo.key, "cannot write to a spool: " + written.error().message());
  return {reason::disk_full, "cannot write to the cache: " + written.error().message()};
}

/// Keeps to the account of the disk while the spool grows: where it may not grow further it goes on as a window.
class disk_watch {
 public:
  awaitable<void> look(production& p) {
    auto const size = p.writer->target()->size();
    if (size < next_) co_return;
    next_ = size + step;
    auto ask = [&p, size] { return p.s.disk.admit(size, step); };
    auto const room = co_await p.s.pool.run(std::move(ask));
    if (room) co_return;
    if (why_not_.empty()) why_not_ = room.error();
    p.writer->become_window();
  }
  /// Why the answer is not kept, where it went on as a window.
  std::string_view why_not() const noexcept {
    return why_not_.empty() ? "disk full, or spool.max_bytes reached" : std::string_view(why_not_);
  }

 private:
  static constexpr std::uint64_t step = 4u << 20;
  std::uint64_t next_ = step;
  std::string why_not_;
};

/// True where the answer came to its end.
awaitable<bool> fill(production& p) {
  std::string in(piece, '\0');
  std::string out;
  disk_watch disk;
  while (true) {
    co_await disk.look(p);
    auto const n = co_await p.source->read(asio::buffer(in));
    if (!n) {
      give_up(p, n.error());
      co_return false;
    }
    if (*n == 0) {
      if (p.writer->target()->windowed()) refresh::note_keep_failed(p.s, p.repo.key, disk.why_not());
      co_return true;
    }
    out.clear();
    auto const understood = p.filter.feed(std::string_view(in).substr(0, *n), out);
    p.lead.flight()->progress.add(p.filter.take_progress());
    auto const written = co_await p.writer->append(out);
    bool const wanted = p.writer->wanted();  // where there was nothing to write too
    if (understood && written && wanted) continue;
    auto const why = why_not(p, understood, wanted, written);
    give_up(p, why);  // first: nobody may join what has no future
    co_await p.source->give_up(why);
    co_return false;
  }
}

/// Blocking.
void put(production& p) {
  auto const& spool = *p.writer->target();
  if (!p.s.packs.takes(spool.size()) || !p.s.disk.admit(spool.size(), 0)) return;
  auto const digest = cache::digest_answer(spool.fd(), spool.size(), p.format, p.form);
  if (digest) {
    p.s.packs.put(p.lead.flight()->key(), spool, *digest);
  } else if (digest.error() == boost::system::errc::bad_message) {
    refresh::note_keep_failed(p.s, p.repo.key, "the pack in the answer is cut or damaged");
  } else {
    refresh::note_keep_failed(p.s, p.repo.key, "cannot read a spool: " + digest.error().message());
  }
}

awaitable<void> keep(production& p) {
  auto const verdict = p.filter.verdict();
  auto const& spool = p.writer->target();
  if (verdict != keep_verdict::keep || spool->fd() < 0) co_return;
  bool const lives = co_await p.s.listing->lives(p.repo.key, p.generation);
  if (!lives) co_return;
  if (p.first_pack) {
    p.s.syncs->adopt_first_pack(std::move(*p.first_pack), {.repo = p.repo,
                                                           .who = p.who,
                                                           .generation = p.generation,
                                                           .from = refresh::kept_answer::of(spool, p.form),
                                                           .wants = p.wants,
                                                           .after = spool->caught_up()});
    p.first_pack.reset();
  }
  if (!p.worth_keeping && !p.lead.flight()->is_shared()) co_return;
  // Who asks the same meanwhile follows this one, also where its pack will prove to be damaged.
  co_await spool->caught_up()->wait(refresh::receivers_first);
  asio::steady_timer pause(co_await asio::this_coro::executor, refresh::receivers_need(spool->size()));
  co_await pause.async_wait(use_nothrow);
  auto job = [&p] { put(p); };
  co_await p.s.long_jobs.run(std::move(job));
  bool const still = co_await p.s.listing->lives(p.repo.key, p.generation);
  if (still) co_return;
  // Purged meanwhile, or in another life: what dropped the packs of this one came too early for this pack.
  auto const now = co_await p.s.listing->find(p.repo.key);
  p.s.syncs->generation_changed(p.repo.key, now ? now->generation : std::string());
}

awaitable<void> produce(production p) {
  bool const whole = co_await fill(p);
  if (!whole) co_return;
  p.filter.finish();
  if (p.filter.verdict() == keep_verdict::unfinished) {  // a proper end of the message, not of the answer
    co_return give_up(p, {reason::truncated, "the answer ended too early"});
  }
  p.writer->seal();
  co_await keep(p);
}

}  // namespace

bool asks_for_shallow(const protocol::fetch_request& asked) noexcept {
  return asked.deepen || asked.deepen_since || !asked.shallow.empty();
}

boost::system::result<std::unique_ptr<cache::spool_writer>> open_spool(services& s) {
  if (!s.disk.admit(0, 0)) return make_error_code(boost::system::errc::no_space_on_device);
  cache::spool_options options;
  options.folder = s.settings.spools_path();
  options.max_bytes = std::numeric_limits<std::uint64_t>::max();  // all of them together are bounded
  return cache::spool_writer::create(options, s.pool, s.spools);
}

void produce_in_background(asio::any_io_executor ex, production p) {
  auto& group = p.s.background;
  group.spawn(std::move(ex), produce(std::move(p)));
}

}  // namespace tankard::proxy::handlers
