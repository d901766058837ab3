#include "proxy/refresh/sync_exchange.hpp"

#include "protocol/fetch_request.hpp"
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

/// Feeds what was read to the sink. An error of the response is a sentence.
template <class Reader>
awaitable<cache::ingest_result<void>> pipe_events(Reader& reader, std::string_view in, cache::pack_sink& sink) {
  while (!in.empty()) {
    auto const event = reader.next(in);
    if (!event) co_return "broken fetch response: " + event.error().message();
    if (event->kind == protocol::fetch_event_kind::error) {
      co_return "upstream says: " + protocol::strip_control(event->data);
    }
    if (event->kind == protocol::fetch_event_kind::pack) {
      auto written = co_await sink.write(event->data);
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
awaitable<received> receive(services& s, upstream::call& call, cache::pack_sink& sink, Reader reader) {
  std::string buffer(read_size, '\0');
  std::uint64_t size = 0;
  for (;;) {
    auto admit = [&s, size] { return s.disk.admit(size, read_size); };
    auto const room = co_await s.pool.run(std::move(admit));
    if (!room) co_return received{room.error(), std::nullopt};
    auto const n = co_await call.read(asio::buffer(buffer));
    if (!n) co_return received{n.error().cause, n.error()};
    if (*n == 0) break;
    size += *n;
    auto piped = co_await pipe_events(reader, std::string_view(buffer).substr(0, *n), sink);
    if (!piped) co_return received{piped.error(), std::nullopt};
  }
  if (!ends_well(reader) || !reader.saw_packfile()) co_return received{std::string("the answer has no whole pack"), {}};
  co_return received{cache::ingest_result<void>(), std::nullopt};
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
  auto const begun = s.clock.now();
  auto const failed = [&](const upstream::failure& f) {
    note_failure(s, repo, operation::fetch, who.principal, f, s.clock.now() - begun);
    return fetched_into{
        f.cause, f.cls == upstream::failure_class::locked_here || f.cls == upstream::failure_class::rate_limited};
  };
  protocol::own_fetch const question{wants, std::move(haves), store->format()};
  auto const listed = co_await s.listing->find(repo.key);
  bool const v2 = !listed || !(listed->speaks_no_v2() || listed->known_in_v0_only());
  own_words const words{v2, protocol::own_v0_fetch(question)};
  std::string const body = words.body(question, s.agent);
  upstream::request request{.method = http::verb::post,
                            .method_name = "POST",
                            .target = repo.target("/git-upload-pack"),
                            .headers = own_fetch_headers(who, s.agent, words.v2),
                            .kind = upstream::request::body_kind::whole,
                            .body = body};
  auto opened = co_await repo.site.client.open(std::move(request));
  if (!opened) co_return failed(opened.error());
  auto const call = std::move(*opened);
  auto const head = co_await call->read_head();
  if (!head) co_return failed(head.error());
  std::optional<upstream::whole_answer> rest;  // a 403 may say in its body that it is a rate limit
  if (head->status == 403) rest = co_await upstream::read_rest(*call, *head);
  auto const said = rest ? std::string_view(rest->body) : std::string_view();
  auto const meaning = upstream::classify(*head, http::upload_pack_result_type, said);
  auto const took = s.clock.now() - begun;
  using upstream::verdict;
  if (meaning.what == verdict::denial) {
    if (auto const ours = refused_us(repo, who, head->status)) co_return failed(*ours);
    auto deny = [&] { note_denied(s, repo, who, *head, begun); };
    co_await s.pool.run(std::move(deny));
    if (who.anonymous()) co_await s.listing->ask_whether_public(repo);
  }
  if (meaning.what != verdict::ok) {
    note_answer(s, repo, operation::fetch, who.principal, *head, meaning, took);
    bool const of_this_credential = meaning.what == verdict::denial || meaning.what == verdict::limited;
    co_return fetched_into{"HTTP " + std::to_string(head->status), of_this_credential};
  }

  auto sink = co_await s.ingest.begin_sync(std::move(store));
  if (!sink) co_return fetched_into{sink.error()};
  received got;
  if (words.v2)
    got = co_await receive(s, *call, **sink, protocol::fetch_response_reader());
  else
    got = co_await receive(s, *call, **sink, protocol::v0_response_reader(words.old));
  if (got.broken) {
    note_failure(s, repo, operation::fetch, who.principal, *got.broken, s.clock.now() - begun);
  } else {
    note_answer(s, repo, operation::fetch, who.principal, *head, meaning, took);
  }
  if (!got.result) co_return fetched_into{got.result.error()};
  co_return fetched_into{co_await (*sink)->commit(std::move(wants))};
}

}  // namespace tankard::proxy::refresh
