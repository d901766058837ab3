#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "cache/io/page_cache.hpp"
#include "cache/packs/sealed_response.hpp"
#include "protocol/sideband.hpp"
#include "proxy/handlers/send_spool.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::size_t head_piece = 128u << 10;  // some acknowledgments, and a pkt-line of the pack
constexpr std::uint64_t file_piece = 2u << 20;  // between looks at the page cache
constexpr std::size_t copy_piece = 256u << 10;  // for TLS

/// The front of an answer, and how much of it comes before our own line.
struct front {
  std::string bytes;
  std::size_t ahead = 0;
};

/// From the page cache, on the pool where it is not there.
awaitable<std::size_t> read_some(services& s, const cache::cached_pack& pack, asio::mutable_buffer into,
                                 std::uint64_t at) {
  if (auto const n = cache::read_cached(pack.fd.get(), into, at)) co_return *n;
  auto job = [&pack, into, at] { return cache::read_blocking(pack.fd.get(), into, at); };
  co_return co_await s.pool.run(std::move(job));
}

awaitable<front> read_front(services& s, const cache::cached_pack& pack, const protocol::answer_form& form) {
  front f;
  f.bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(pack.size, head_piece)));
  auto const n = co_await read_some(s, pack, asio::buffer(f.bytes), 0);
  f.bytes.resize(n);
  cache::response_head head(form);
  auto const ahead = head.take(f.bytes);
  f.ahead = head.ended() ? ahead : 0;
  co_return f;
}

/// So that the event loop never waits for the disk: sendfile would.
awaitable<void> bring_into_memory(services& s, const cache::cached_pack& pack, std::uint64_t at, std::uint64_t size) {
  char probe = 0;
  bool const there = cache::read_cached(pack.fd.get(), asio::buffer(&probe, 1), at) &&
                     cache::read_cached(pack.fd.get(), asio::buffer(&probe, 1), at + size - 1);
  if (there) co_return;
  auto job = [&pack, at, size] { cache::bring_into_page_cache(pack.fd.get(), at, size); };
  co_await s.pool.run(std::move(job));
}

awaitable<bool> send_file(services& s, http::exchange& x, const cache::cached_pack& pack, std::uint64_t at) {
  auto const ex = co_await asio::this_coro::executor;
  while (at < pack.size) {
    auto const size = std::min(file_piece, pack.size - at);
    co_await bring_into_memory(s, pack, at, size);
    auto const sent = co_await x.send_file(pack.fd.get(), at, size);
    if (!sent) co_return false;
    at += size;
    if (at == pack.size) break;
    co_await asio::post(ex, use_nothrow);  // a client that always has room would keep the loop from all others
  }
  co_return true;
}

awaitable<bool> send_copies(services& s, http::exchange& x, const cache::cached_pack& pack, std::uint64_t at) {
  std::string buffer(copy_piece, '\0');
  while (at < pack.size) {
    auto const n = co_await read_some(s, pack, asio::buffer(buffer), at);
    if (n == 0) {  // it was verified when it was opened: the disk is failing
      x.report().reason = reason::store_failed;
      x.abort();
      co_return false;
    }
    auto const written = co_await x.write(asio::buffer(buffer.data(), n));
    if (!written) co_return false;
    at += n;
  }
  co_return true;
}

}  // namespace

awaitable<bool> send_kept(services& s, http::exchange& x, cache::cached_pack_ptr pack, sending what) {
  std::string opening;
  std::uint64_t at = 0;
  if (!what.note.empty()) {
    auto const f = co_await read_front(s, *pack, what.form);
    if (f.ahead > 0) opening = f.bytes.substr(0, f.ahead) + protocol::progress_pkt(what.form, what.note);
    at = f.ahead;
  }
  bool const allowed = co_await may_begin(what);
  if (!allowed) co_return false;
  auto const started = co_await x.start(200, "OK", std::move(what.headers), pack->size - at + opening.size());
  if (!started) co_return true;
  if (!opening.empty()) {
    auto const written = co_await x.write(asio::buffer(opening));
    if (!written) co_return true;
  }
  bool const by_file = x.sends_files();
  bool sent = false;
  if (by_file) {
    sent = co_await send_file(s, x, *pack, at);
  } else {
    sent = co_await send_copies(s, x, *pack, at);
  }
  if (sent) co_await x.finish();
  co_return true;
}

}  // namespace tankard::proxy::handlers
