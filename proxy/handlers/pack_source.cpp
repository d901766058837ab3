#include "proxy/handlers/pack_source.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <boost/throw_exception.hpp>
#include <stdexcept>

#include "cache/store/store_ingest.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t first_piece = 16u << 10;
constexpr auto exit_limit = std::chrono::seconds(10);  // from the end of its output to its exit

/// What was read before it was asked for: as much as fits.
std::size_t hand_out(std::string& held, asio::mutable_buffer into) {
  auto const n = asio::buffer_copy(into, asio::buffer(held));
  held.erase(0, n);
  return n;
}

}  // namespace

void throw_exception_from_error(const broken_source& b, const boost::source_location& where) {
  boost::throw_exception(std::runtime_error(b.cause), where);
}

child_source::child_source(permit place, cache::repo_store_ptr store)
    : place_(std::move(place)), store_(std::move(store)), reading_(store_->begin_reading()) {}

awaitable<from_source<std::unique_ptr<child_source>>> child_source::start(services& s, cache::repo_store_ptr store,
                                                                          permit place, const std::string& body) {
  std::unique_ptr<child_source> started(new child_source(std::move(place), std::move(store)));
  auto command = cache::upload_pack_command(*started->store_, s.settings.limit.child_memory);
  command.inherit_fd = s.lock_fd;
  auto const ex = co_await asio::this_coro::executor;
  auto spawned = cache::subprocess::spawn(ex, command);
  if (!spawned) co_return broken_source{reason::store_failed, "cannot start git: " + spawned.error().message()};
  started->child_ = std::move(*spawned);
  auto const fed = co_await started->feed(body);
  if (!fed) co_return fed.error();
  co_return std::move(started);
}

/// Until its first output: before that nothing is promised to anybody.
awaitable<from_source<void>> child_source::feed(const std::string& body) {
  auto const fed = co_await child_->write_stdin(asio::buffer(body));
  child_->close_stdin();
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
  if (read_well && status.ok()) co_return std::size_t{0};
  co_return broken_source{reason::store_failed, "git upload-pack: " + status.text() + ": " + child_->stderr_tail()};
}

awaitable<from_source<std::size_t>> child_source::read(asio::mutable_buffer into) {
  if (!first_.empty()) co_return hand_out(first_, into);
  auto const n = co_await child_->read_stdout(into);
  if (n && *n > 0) co_return *n;
  co_return co_await end(n.has_value());
}

awaitable<void> child_source::give_up() {
  child_->kill();
  co_await child_->wait(exit_limit);
}

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

awaitable<void> upstream_source::give_up() {
  auto const& principal = asked_.who->principal;
  refresh::note_answer(s_, asked_.repo, operation::fetch, principal, head_, meaning_, s_.clock.now() - asked_.begun);
  call_->abort();
  co_return;
}

}  // namespace tankard::proxy::handlers
