#include "proxy/refresh/unpack_answer.hpp"

#include "cache/io/page_cache.hpp"

namespace tankard::proxy::refresh {
namespace {

using written = cache::ingest_result<void>;

constexpr std::size_t piece = 1u << 20;

/// One pass over an answer, a piece at a time.
struct unpacking {
  int from;  // of the answer
  std::uint64_t size;
  std::unique_ptr<cache::pack_spool> into;
  protocol::fetch_answer_reader reader;
  std::uint64_t at = 0;
  std::string in = std::string(piece, '\0');
  std::string pack{};

  bool done() const noexcept { return at >= size; }
};

/// The pack bytes of what was read.
written collect(unpacking& u, std::string_view bytes) {
  u.pack.clear();
  while (!bytes.empty()) {
    auto const event = u.reader.next(bytes);
    if (!event) return "a kept answer cannot be read: " + event.error().message();
    if (event->kind == protocol::fetch_event_kind::pack) u.pack += event->data;
    bytes.remove_prefix(event->consumed);
  }
  return {};
}

/// Blocking.
written move_piece(services& s, unpacking& u) {
  auto const n = cache::read_blocking(u.from, asio::buffer(u.in), u.at);
  if (n == 0) return std::string("a kept answer cannot be read");
  u.at += n;
  if (auto const read = collect(u, std::string_view(u.in).substr(0, n)); !read) return read;
  if (auto const room = s.disk.admit(u.into->size(), u.pack.size()); !room) return room.error();
  return u.into->append(u.pack);
}

}  // namespace

awaitable<cache::ingest_result<std::unique_ptr<cache::pack_spool>>> unpack_answer(services& s,
                                                                                  const kept_answer& answer) {
  auto create = [&s] { return cache::pack_spool::create(s.stores, s.pool); };
  auto spool = co_await s.pool.run(std::move(create));
  if (!spool) co_return spool.error();
  unpacking u{.from = answer.fd,
              .size = answer.size,
              .into = std::move(*spool),
              .reader = protocol::fetch_answer_reader(answer.form)};
  while (!u.done()) {
    auto step = [&s, &u] { return move_piece(s, u); };
    auto const moved = co_await s.pool.run(std::move(step));
    if (!moved) co_return moved.error();
  }
  if (!u.into->looks_whole()) co_return std::string("a kept answer holds no whole pack");
  co_return std::move(u.into);
}

}  // namespace tankard::proxy::refresh
