#include "proxy/refresh/sync_exchange.hpp"

#include <algorithm>
#include <functional>

#include "protocol/fetch_response.hpp"
#include "protocol/pkt_line.hpp"
#include "protocol/v0_request.hpp"
#include "protocol/v0_response.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/refresh/access_notes.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::refresh {
namespace {

constexpr std::size_t read_size = 256u << 10;

/// A fetch of tankard's own in the words that the host understands.
struct own_words {
  bool v2 = true;
  protocol::v0_request old;  ///< where no v2 of it is known

  std::string body(const protocol::own_fetch& question, std::string_view agent) const {
    return v2 ? protocol::write_fetch_request(question, agent) : protocol::write_v0_request(old, agent);
  }
};

http::fields own_fetch_headers(const auth::identity& who, const std::string& agent, bool v2) {
  http::fields h = who.headers;
  h.set("User-Agent", agent);
  h.set("Accept", http::upload_pack_result_type);
  h.set("Accept-Encoding", "identity");
  h.set("Content-Type", http::upload_pack_request_type);
  if (v2) h.set("Git-Protocol", "version=2");
  http::add_tracing(h, http::make_request_id());
  return h;
}

/// Takes pack bytes; called again when it is done with them.
using pack_writer = std::function<awaitable<cache::ingest_result<void>>(std::string_view)>;

/// Feeds what was read to the writer. An error of the response is a sentence.
template <class Reader>
awaitable<cache::ingest_result<void>> pipe_events(Reader& reader, std::string_view in, const pack_writer& write) {
  while (!in.empty()) {
    auto const event = reader.next(in);
    if (!event) co_return "broken fetch response: " + event.error().message();
    if (event->kind == protocol::fetch_event_kind::error) {
      co_return "upstream says: " + protocol::strip_control(event->data);
    }
    if (event->kind == protocol::fetch_event_kind::pack) {
      auto written = co_await write(event->data);
      if (!written) co_return written.error();
    }
    in.remove_prefix(event->consumed);
  }
  co_return cache::ingest_result<void>();
}

struct received {
  cache::ingest_result<void> result;
  std::optional<upstream::failure> broken;  ///< the upstream's connection failed
};

/// The message has ended: whether it did so properly.
bool ends_well(const protocol::fetch_response_reader& reader) { return reader.ended(); }
bool ends_well(protocol::v0_response_reader& reader) { return reader.finish().has_value(); }

template <class Reader>
awaitable<received> receive(services& s, upstream::call& call, const pack_writer& write, cache::boot_point deadline,
                            Reader reader) {
  std::string buffer(read_size, '\0');
  std::uint64_t size = 0;
  for (;;) {
    auto admit = [&s, size] { return s.disk.admit(size, read_size); };
    auto const room = co_await s.pool.run(std::move(admit));
    if (!room) co_return received{room.error(), std::nullopt};
    auto const n = co_await call.read(asio::buffer(buffer));
    if (!n) co_return received{n.error().cause, n.error()};
    if (*n == 0) break;
    if (s.clock.now() > deadline) co_return received{std::string("it takes too long"), std::nullopt};
    size += *n;
    auto piped = co_await pipe_events(reader, std::string_view(buffer).substr(0, *n), write);
    if (!piped) co_return received{piped.error(), std::nullopt};
  }
  if (!ends_well(reader) || !reader.saw_packfile()) co_return received{std::string("the answer has no whole pack"), {}};
  co_return received{cache::ingest_result<void>(), std::nullopt};
}

/// A fetch of tankard's own, from its question to the end of its answer.
class own_fetch_under_way {
 public:
  own_fetch_under_way(services& s, const repo_ref& repo, const auth::identity& who)
      : s_(s), repo_(repo), who_(who), begun_(s.clock.now()) {}

  /// Asks; where the answer is no good it says why.
  awaitable<fetched_into> begin(protocol::own_fetch question);
  /// REQUIRES: begin() went well. The error is a sentence.
  awaitable<cache::ingest_result<void>> receive_pack(const pack_writer& write,
                                                     cache::boot_point deadline = cache::boot_point::max());

 private:
  fetched_into failed(const upstream::failure& f);
  awaitable<fetched_into> judge();

  services& s_;
  const repo_ref& repo_;
  const auth::identity& who_;
  const cache::boot_point begun_;
  own_words words_;
  std::unique_ptr<upstream::call> call_;
  upstream::response_head head_;
  upstream::classified meaning_;
  std::chrono::nanoseconds took_{};  ///< to the head
};

fetched_into own_fetch_under_way::failed(const upstream::failure& f) {
  note_failure(s_, repo_, operation::fetch, who_.principal, f, s_.clock.now() - begun_);
  using upstream::failure_class;
  return {f.cause, f.cls == failure_class::locked_here || f.cls == failure_class::rate_limited};
}

awaitable<fetched_into> own_fetch_under_way::begin(protocol::own_fetch question) {
  auto const listed = co_await s_.listing->find(repo_.key);
  bool const v2 = !listed || !listed->is_asked_in_v0();
  words_ = {v2, protocol::own_v0_fetch(question)};
  std::string const body = words_.body(question, s_.agent);
  upstream::request request{.method = http::verb::post,
                            .method_name = "POST",
                            .target = repo_.target("/git-upload-pack"),
                            .headers = own_fetch_headers(who_, s_.agent, words_.v2),
                            .kind = upstream::request::body_kind::whole,
                            .body = body};
  auto opened = co_await repo_.site.client.open(std::move(request));
  if (!opened) co_return failed(opened.error());
  call_ = std::move(*opened);
  auto head = co_await call_->read_head();
  if (!head) co_return failed(head.error());
  head_ = std::move(*head);
  took_ = s_.clock.now() - begun_;
  co_return co_await judge();
}

awaitable<fetched_into> own_fetch_under_way::judge() {
  std::optional<upstream::whole_answer> rest;  // a 403 may say in its body that it is a rate limit
  if (head_.status == 403) {
    rest = co_await upstream::read_rest(*call_, head_);
    if (!rest) co_return failed(upstream::refused_at_length());
  }
  auto const said = rest ? std::string_view(rest->body) : std::string_view();
  meaning_ = upstream::classify(head_, http::upload_pack_result_type, said);
  using upstream::verdict;
  if (meaning_.what == verdict::ok) co_return fetched_into{cache::ingest_result<void>()};
  if (meaning_.what == verdict::denial) {
    if (auto const ours = refused_us(repo_, who_, head_.status)) co_return failed(*ours);
    auto deny = [this] { note_denied(s_, repo_, who_, head_, begun_); };
    co_await s_.pool.run(std::move(deny));
    if (who_.anonymous()) co_await s_.listing->ask_whether_public(repo_);
  }
  note_answer(s_, repo_, operation::fetch, who_.principal, head_, meaning_, took_);
  bool const of_this_credential = meaning_.what == verdict::denial || meaning_.what == verdict::limited;
  co_return fetched_into{"HTTP " + std::to_string(head_.status), of_this_credential};
}

awaitable<cache::ingest_result<void>> own_fetch_under_way::receive_pack(const pack_writer& write,
                                                                        cache::boot_point deadline) {
  received got;
  if (words_.v2)
    got = co_await receive(s_, *call_, write, deadline, protocol::fetch_response_reader());
  else
    got = co_await receive(s_, *call_, write, deadline, protocol::v0_response_reader(words_.old));
  if (got.broken) {
    note_failure(s_, repo_, operation::fetch, who_.principal, *got.broken, s_.clock.now() - begun_);
  } else {
    note_answer(s_, repo_, operation::fetch, who_.principal, head_, meaning_, took_);
  }
  co_return got.result;
}

}  // namespace

std::vector<protocol::object_id> choose_haves(const cache::store_view& view, const cache::ref_table& table,
                                              std::size_t most) {
  std::vector<protocol::object_id> haves;
  std::unordered_set<protocol::object_id> seen;
  auto const add = [&](const protocol::object_id& oid) {
    if (haves.size() < most && seen.insert(oid).second) haves.push_back(oid);
  };
  for (bool const changed : {true, false}) {
    for (auto const& [name, value] : *view.refs) {
      auto const* now = table.find(name);
      if ((now != nullptr && now->oid != value.oid) == changed) add(value.oid);
    }
  }
  for (auto const& tip : *view.tips) {
    if (haves.size() == most) break;
    add(tip);
  }
  return haves;
}

awaitable<fetched_into> fetch_into(services& s, repo_ref repo, const auth::identity& who, cache::repo_store_ptr store,
                                   std::vector<protocol::object_id> wants, std::vector<protocol::object_id> haves) {
  own_fetch_under_way fetch(s, repo, who);
  auto begun = co_await fetch.begin({wants, std::move(haves), store->format()});
  if (!begun.result) co_return begun;
  auto sink = co_await s.ingest.begin_sync(std::move(store));
  if (!sink) co_return fetched_into{sink.error()};
  auto const write = [&sink](std::string_view bytes) { return (*sink)->write(bytes); };
  auto got = co_await fetch.receive_pack(write);
  if (!got) co_return fetched_into{got.error()};
  co_return fetched_into{co_await (*sink)->commit(std::move(wants))};
}

awaitable<whole_pack> fetch_whole(services& s, repo_ref repo, const auth::identity& who, protocol::own_fetch question,
                                  whole_limits limits) {
  auto const deadline = s.clock.now() + limits.time;
  own_fetch_under_way fetch(s, repo, who);
  auto const begun = co_await fetch.begin(std::move(question));
  if (!begun.result) co_return whole_pack{begun.result.error()};
  auto create = [&s] { return cache::pack_spool::create(s.stores, s.pool); };
  auto spool = co_await s.pool.run(std::move(create));
  if (!spool) co_return whole_pack{spool.error()};
  bool too_large = false;
  auto const write = [&](std::string_view bytes) -> awaitable<cache::ingest_result<void>> {
    too_large = bytes.size() > limits.bytes - std::min((*spool)->size(), limits.bytes);
    if (too_large) co_return "it is larger than " + std::to_string(limits.bytes) + " bytes (mirror.max_bytes)";
    auto job = [&spool, bytes] { return (*spool)->append(bytes); };
    co_return co_await s.pool.run(std::move(job));
  };
  auto const got = co_await fetch.receive_pack(write, deadline);
  if (!got) co_return whole_pack{got.error(), too_large};
  if (!(*spool)->looks_whole()) co_return whole_pack{std::string("the answer has no whole pack")};
  co_return whole_pack{std::move(*spool)};
}

}  // namespace tankard::proxy::refresh
