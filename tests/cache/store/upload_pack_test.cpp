#include <unistd.h>

#include "protocol/fetch_response.hpp"
#include "protocol/pkt_line.hpp"
#include "protocol/v0_request.hpp"
#include "protocol/v0_response.hpp"
#include "tests/cache/store/store_fixture.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

class UploadPack : public StoreFixture, public testing::WithParamInterface<protocol::object_format> {
 protected:
  UploadPack() : StoreFixture(GetParam()) {
    base = source.commit("one", "1");
    tip = source.commit("two", "2");
    store = *first_pack(source.pack("--all"), {tip});
    EXPECT_TRUE(store->publish_refs(table(), all_refs));
  }
  static awaitable<std::string> ask(spawn_options options, std::string request, std::string& errors) {
    auto const ex = co_await asio::this_coro::executor;
    auto child = subprocess::spawn(ex, options);
    if (!child) co_return "";
    (void)co_await (*child)->write_stdin(asio::buffer(request));
    (*child)->close_stdin();
    std::string out, buffer(4096, '\0');
    for (;;) {
      auto const n = co_await (*child)->read_stdout(asio::buffer(buffer));
      if (!n || *n == 0) break;
      out.append(buffer, 0, *n);
    }
    auto const status = co_await (*child)->wait(60s);
    errors = (*child)->stderr_tail();
    if (!status.ok()) errors += " (" + status.text() + ")";
    co_return out;
  }
  std::string answer(const std::string& request, std::size_t max_memory = std::size_t{1} << 30) {
    return test::run(io, ask(upload_pack_command(*store, max_memory), request, errors));
  }
  std::string old_answer(const std::string& request) {
    auto const command = upload_pack_command(*store, std::size_t{1} << 30, upload_pack_protocol::v0);
    return test::run(io, ask(command, request, errors));
  }
  /// What a reader makes of a response; empty where it cannot go on.
  template <class Reader>
  static std::string read_pack(Reader& reader, std::string_view response) {
    std::string pack;
    while (!response.empty()) {
      auto const event = reader.next(response);
      if (!event) return "";
      if (event->kind == protocol::fetch_event_kind::pack) pack += event->data;
      response.remove_prefix(event->consumed);
    }
    return pack;
  }
  static std::string old_pack(const protocol::v0_request& request, std::string_view response) {
    protocol::v0_response_reader reader(request);
    auto const pack = read_pack(reader, response);
    return reader.finish() ? pack : "";
  }
  std::string request(const std::string& command, const std::vector<std::string>& arguments) {
    std::string out;
    protocol::append_pkt(out, "command=" + command);
    protocol::append_pkt(out, "object-format=" + std::string(to_string(GetParam())));
    protocol::append_delim(out);
    for (auto const& a : arguments) protocol::append_pkt(out, a);
    protocol::append_flush(out);
    return out;
  }
  static std::string pack_of(std::string_view response) {
    protocol::fetch_response_reader reader;
    auto const pack = read_pack(reader, response);
    return reader.ended() ? pack : "";
  }
  object_id base, tip;
  repo_store_ptr store;
  std::string errors;
};

TEST_P(UploadPack, AnswersLsRefs) {
  auto const out = answer(request("ls-refs", {"symrefs", "ref-prefix HEAD", "ref-prefix refs/heads/"}));
  std::string expected;
  protocol::append_pkt(expected, tip.hex() + " HEAD symref-target:refs/heads/main\n");
  protocol::append_pkt(expected, tip.hex() + " refs/heads/main\n");
  protocol::append_flush(expected);
  EXPECT_EQ(out, expected) << errors;
}

TEST_P(UploadPack, AnswersClientsOfV0AlsoForWhatIsNoTipAnyMore) {
  protocol::v0_request asked;
  asked.fetch.wants = {base};
  asked.fetch.done = true;
  using band = protocol::v0_framing::band;
  for (auto const bands : {band::none, band::side, band::side_64k}) {
    asked.framing.bands = bands;
    auto const pack = old_pack(asked, old_answer(protocol::write_v0_request(asked, "test/1")));
    ASSERT_TRUE(pack.starts_with("PACK")) << errors;
  }
  asked.fetch.deepen = 1;
  asked.fetch.filter = "blob:none";
  asked.shallow_info = true;
  auto const out = old_answer(protocol::write_v0_request(asked, "test/1"));
  EXPECT_TRUE(old_pack(asked, out).starts_with("PACK")) << errors << out;
}

TEST_P(UploadPack, AnswersAFetchOfAnyServableCommitAndOfAFilteredOne) {
  auto const whole = pack_of(answer(request("fetch", {"want " + base.hex(), "ofs-delta", "done"})));
  ASSERT_FALSE(whole.empty()) << errors;
  test::temp_repo target(GetParam());
  auto const file = target.path() / "p.pack";
  std::ofstream(file, std::ios::binary) << whole;
  target.git("index-pack --check-self-contained-and-connected p.pack");
  EXPECT_EQ(target.git("show-index < p.idx | wc -l"), source.git("rev-list --objects " + base.hex() + " | wc -l"));
  EXPECT_FALSE(pack_of(answer(request("fetch", {"want " + tip.hex(), "filter blob:none", "done"}))).empty()) << errors;
  EXPECT_EQ(errors, "");
}

TEST_P(UploadPack, ASessionIdOfTheClientIsNoObstacle) {
  auto asked = request("fetch", {"want " + tip.hex(), "done"});
  std::string session;
  protocol::append_pkt(session, "session-id=abc");
  asked.insert(asked.find("0001"), session);
  EXPECT_FALSE(pack_of(answer(asked)).empty()) << errors;
}

TEST_P(UploadPack, WorksWhereTheVolumeBelongsToSomebodyElse) {
  if (::chown(store->folder().c_str(), 12345, 12345) != 0) GTEST_SKIP() << "no right to chown";
  EXPECT_FALSE(pack_of(answer(request("fetch", {"want " + tip.hex(), "done"}))).empty()) << errors;
  auto bare = upload_pack_command(*store, 0);
  std::erase_if(bare.argv, [](auto const& a) { return a.starts_with("safe.directory="); });
  std::erase(bare.argv, "-c");
  std::erase_if(bare.argv, [](auto const& a) { return a.starts_with("pack.threads="); });
  test::run(io, ask(bare, request("ls-refs", {}), errors));
  EXPECT_NE(errors.find("dubious ownership"), std::string::npos) << "the option is what makes it work: " << errors;
}

TEST_P(UploadPack, SurvivesTheTrashingOfItsStoreOnceItRuns) {
  auto const work = [](repo_store_ptr served, store_set& all, std::string listing) -> awaitable<std::string> {
    auto const ex = co_await asio::this_coro::executor;
    auto options = upload_pack_command(*served, 0);
    auto child = subprocess::spawn(ex, options);
    (void)co_await (*child)->write_stdin(asio::buffer(listing));
    std::string buffer(4096, '\0'), out;
    auto const n = co_await (*child)->read_stdout(asio::buffer(buffer));  // it has entered the folder
    if (n) all.trash_others(served->key(), "");
    (*child)->close_stdin();
    auto const status = co_await (*child)->wait(60s);
    co_return status.text();
  };
  EXPECT_EQ(test::run(io, work(store, *stores, request("ls-refs", {}))), "exit 0");
}

TEST_P(UploadPack, AMissingObjectIsGitsToSay) {
  auto const out = answer(request("fetch", {"want " + made_up(GetParam()).hex(), "done"}));
  EXPECT_NE(out.find("not our ref"), std::string::npos) << out;
}

INSTANTIATE_TEST_SUITE_P(Of, UploadPack, both_formats, name_of_format);

}  // namespace
}  // namespace tankard::cache
