#include "proxy/handlers/pack_source.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/throw_exception.hpp>
#include <cerrno>
#include <stdexcept>

#include "cache/io/unique_fd.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t first_piece = 16u << 10;
constexpr std::size_t quiet_piece = 64u << 10;
constexpr auto exit_limit = std::chrono::seconds(10);  // from the end of its output to its exit

/// What was read before it was asked for: as much as fits.
std::size_t hand_out(std::string& held, asio::mutable_buffer into) {
  auto const n = asio::buffer_copy(into, asio::buffer(held));
  held.erase(0, n);
  return n;
}

/// A request of v0 as the file that its child reads: that one answers before it has read all, and whoever wrote all of
/// it to a pipe first would wait for a child that waits for him. Bounded by limits.body_bytes for each child.
boost::system::result<cache::unique_fd> as_file(const std::string& body) {
  auto const failed = [] { return boost::system::error_code(errno, boost::system::system_category()); };
  cache::unique_fd file(::memfd_create("request", MFD_CLOEXEC));
  if (!file) return failed();
  for (std::size_t at = 0; at < body.size();) {
    auto const n = ::pwrite(file.get(), body.data() + at, body.size() - at, static_cast<off_t>(at));
    if (n < 0 && errno != EINTR) return failed();
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  return file;
}

}  // namespace

void throw_exception_from_error(const broken_source& b, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(b.cause), where);
}

child_source::child_source(permit place, cache::repo_store_ptr store)
    : place_(std::move(place)), store_(std::move(store)), reading_(store_->begin_reading()) {}

awaitable<from_source<std::unique_ptr<child_source>>> child_source::start(services& s, cache::repo_store_ptr store,
                                                                          permit place, const std::string& body,
                                                                          cache::upload_pack_protocol protocol) {
  std::unique_ptr<child_source> started(new child_source(std::move(place), std::move(store)));
  auto command = cache::upload_pack_command(*started->store_, s.settings.limit.child_memory, protocol);
  command.inherit_fd = s.lock_fd;
  bool const old = protocol == cache::upload_pack_protocol::v0;
  cache::unique_fd file;
  if (old) {
    auto copy = [&body] { return as_file(body); };
    auto made = co_await s.pool.run(std::move(copy));
    if (!made) co_return broken_source{reason::store_failed, "cannot hold the request: " + made.error().message()};
    file = std::move(*made);
    command.stdin_fd = file.get();
  }
  auto const ex = co_await asio::this_coro::executor;
  auto spawned = cache::subprocess::spawn(ex, command);
  if (!spawned) co_return broken_source{reason::store_failed, "cannot start git: " + spawned.error().message()};
  started->child_ = std::move(*spawned);
  bool fed = true;
  if (!old) {
    auto const written = co_await started->child_->write_stdin(asio::buffer(body));
    fed = written.has_value();
    started->child_->close_stdin();
  }
  auto const begun = co_await started->read_first(fed);
  if (!begun) co_return begun.error();
  co_return std::move(started);
}

/// Until its first output: before that nothing is promised to anybody.
awaitable<from_source<void>> child_source::read_first(bool fed) {
  first_.resize(first_piece);
  auto const n = co_await child_->read_stdout(asio::buffer(first_));
  first_.resize(n ? *n : 0);
  if (!first_.empty()) co_return from_source<void>();
  auto const ended = co_await end(fed && n);
  if (!ended) co_return ended.error();
  co_return from_source<void>();
}

awaitable<from_source<std::size_t>> child_source::end(bool read_well) {
  auto const status = co_await child_->wait(exit_limit);
  ended_ = read_well && status.ok();
  if (ended_) co_return std::size_t{0};
  co_return broken_source{reason::store_failed, "git upload-pack: " + status.text() + ": " + child_->stderr_tail()};
}

awaitable<from_source<std::size_t>> child_source::read(asio::mutable_buffer into) {
  if (!first_.empty()) co_return hand_out(first_, into);
  if (ended_) co_return std::size_t{0};
  auto const n = co_await child_->read_stdout(into);
  if (n && *n > 0) co_return *n;
  co_return co_await end(n.has_value());
}

awaitable<void> child_source::give_up(broken_source) {
  child_->kill();
  co_await child_->wait(exit_limit);
}

awaitable<from_source<std::size_t>> quiet_source::read(asio::mutable_buffer into) {
  piece_.resize(quiet_piece);
  while (passed_.empty()) {
    auto const n = co_await from_->read(asio::buffer(piece_));
    if (!n || *n == 0) co_return n;
    auto const understood = filter_.feed(std::string_view(piece_).substr(0, *n), passed_);
    if (understood) continue;
    broken_source const why{reason::not_git, "the answer is not one to fetch: " + understood.error().message()};
    co_await from_->give_up(why);
    co_return why;
  }
  co_return hand_out(passed_, into);
}

awaitable<void> quiet_source::give_up(broken_source why) { co_await from_->give_up(std::move(why)); }

upstream_source::upstream_source(services& s, question asked, std::unique_ptr<upstream::call> call,
                                 upstream::response_head head, upstream::classified meaning, std::string first)
    : s_(s),
      asked_(std::move(asked)),
      call_(std::move(call)),
      head_(std::move(head)),
      meaning_(std::move(meaning)),
      first_(std::move(first)) {}

awaitable<from_source<std::size_t>> upstream_source::read(asio::mutable_buffer into) {
  if (!first_.empty()) co_return hand_out(first_, into);
  auto const n = co_await call_->read(into);
  auto const& principal = asked_.who->principal;
  auto const took = s_.clock.now() - asked_.begun;
  if (!n) {
    refresh::note_failure(s_, asked_.repo, operation::fetch, principal, n.error(), took);
    co_return broken_source{n.error().reason, n.error().cause};
  }
  // A good head is a success only when the body came too.
  if (*n == 0) refresh::note_answer(s_, asked_.repo, operation::fetch, principal, head_, meaning_, took);
  co_return *n;
}

awaitable<void> upstream_source::give_up(broken_source why) {
  auto const& principal = asked_.who->principal;
  auto const took = s_.clock.now() - asked_.begun;
  if (why.reason == reason::not_git) {
    upstream::failure failed;
    failed.reason = why.reason;
    failed.cause = std::move(why.cause);
    refresh::note_failure(s_, asked_.repo, operation::fetch, principal, failed, took);
  } else {
    refresh::note_answer(s_, asked_.repo, operation::fetch, principal, head_, meaning_, took);
  }
  call_->abort();
  co_return;
}

}  // namespace tankard::proxy::handlers
