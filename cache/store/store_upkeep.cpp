#include "cache/store/store_upkeep.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <charconv>

#include "cache/io/atomic_file.hpp"
#include "cache/store/git_child.hpp"
#include "cache/store/repo_store_impl.hpp"
#include "cache/store/staging.hpp"
#include "cache/store/store_folder.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
using protocol::object_id;
using oid_list = std::vector<object_id>;

constexpr int max_proofs = 3;
constexpr const char* tips_namespace = "refs/tankard/tip/";

ingest_limits child_limits(const upkeep_limits& l) {
  return {.max_memory = l.max_memory, .stall = l.stall, .niceness = l.niceness};
}

/// "git x failed (exit 128): Counting objects: 7%... fatal: why" -> "git x failed (exit 128): fatal: why"
std::string without_progress(const std::string& cause) {
  constexpr std::string_view end_of_status = "): ";
  auto const words = cause.find(end_of_status);
  if (words == cause.npos) return cause;
  auto const begin = words + end_of_status.size();
  auto const last = std::max<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(cause.rfind("fatal: ")),
                                             static_cast<std::ptrdiff_t>(cause.rfind("error: ")));
  if (last < static_cast<std::ptrdiff_t>(begin)) return cause.substr(0, words + 1);
  return cause.substr(0, begin) + cause.substr(static_cast<std::size_t>(last));
}

/// Every tip of the look as a ref. No word of what is peeled: git finds that out itself.
std::string refs_of(const upkeep_start& start) {
  std::map<std::string, object_id> refs;
  oid_set shown;
  for (auto const& [name, value] : *start.refs) {
    shown.insert(value.oid);
    refs.emplace(name == head_file ? tips_namespace + value.oid.hex() : name, value.oid);
  }
  for (auto const& tip : *start.tips)
    if (!shown.contains(tip)) refs.emplace(tips_namespace + tip.hex(), tip);
  std::string out = "# pack-refs with: sorted \n";
  for (auto const& [name, oid] : refs) out.append(oid.hex()).append(" ").append(name) += '\n';
  return out;
}

/// Blocking. A bare repository with these refs and no objects.
ingest_result<void> stage(const fs::path& folder, protocol::object_format format, const std::string& refs) {
  auto made = make_bare_repository(folder, format);
  if (made) made = write_file_atomically(folder / packed_refs_file, refs);
  if (!made) return "cannot stage: " + made.error().message();
  return {};
}

std::vector<std::string> beside(const fs::path& staged, const repo_store& store) {
  return {"GIT_DIR=" + staged.string(), alternate_environment(store.folder() / "objects")};
}

/// Blocking. The present packs of the store but the replaced ones, under second names.
ingest_result<void> link_packs(const fs::path& from, const fs::path& to, const std::vector<std::string>& without) {
  for (auto const* extension : {".pack", ".idx"}) {
    auto const files = files_of(from, extension);
    if (!files) return "cannot read the packs: " + files.error().message();
    for (auto const& file : *files) {
      if (std::ranges::count(without, file.stem().string()) > 0) continue;
      if (::link(file.c_str(), (to / file.filename()).c_str()) != 0)
        return "cannot link a pack: " + error_code(errno, boost::system::system_category()).message();
    }
  }
  return {};
}

/// Lines for --stdin-packs: what is joined, and that objects which the others have stay there.
std::string pack_lines(const std::vector<std::string>& all, const std::vector<std::string>& join) {
  std::string out;
  for (auto const& name : all) {
    bool const joined = std::ranges::count(join, name) > 0;
    out.append(joined ? "" : "^").append(name).append(".pack\n");
  }
  return out;
}

oid_list entered_since(const oid_set& now, const oid_set& then) {
  oid_list out;
  std::ranges::copy_if(now, std::back_inserter(out), [&](auto const& t) { return !then.contains(t); });
  return out;
}

}  // namespace

std::string_view to_string(upkeep_result r) noexcept {
  switch (r) {
    case upkeep_result::ok:
      return "ok";
    case upkeep_result::failed:
      return "failed";
    case upkeep_result::stopped:
      return "stopped";
    case upkeep_result::no_space:
      return "no_space";
  }
  return "failed";
}

store_upkeep::store_upkeep(store_set& stores, blocking_pool& pool, upkeep_limits limits)
    : stores_(stores), pool_(pool), limits_(limits) {}
store_upkeep::~store_upkeep() = default;

void store_upkeep::stop() noexcept {
  stopping_ = true;
  if (child_ != nullptr) child_->kill();
}

upkeep_outcome store_upkeep::failure(std::string cause) const {
  return {stopping_ ? upkeep_result::stopped : upkeep_result::failed, std::move(cause)};
}

awaitable<ingest_result<std::string>> store_upkeep::git(std::vector<std::string> arguments, environment env,
                                                        std::string input) {
  if (stopping_) co_return ingest_result<std::string>(boost::system::in_place_error, "stopped");
  auto const ex = co_await asio::this_coro::executor;
  auto options = git_command(child_limits(limits_), 1, std::move(arguments), std::move(env));
  options.niceness = limits_.niceness;
  auto child = watched_child::spawn(ex, options, limits_.stall);
  if (!child) co_return ingest_result<std::string>(boost::system::in_place_error, child.error());
  struct here {
    watched_child*& place;
    ~here() { place = nullptr; }
  } const on_exit{child_};
  child_ = child->get();
  std::string output;
  auto done = co_await (*child)->write(input);
  if (done) done = co_await (*child)->finish(&output);
  if (!done) co_return ingest_result<std::string>(boost::system::in_place_error, without_progress(done.error()));
  co_return ingest_result<std::string>(boost::system::in_place_value, std::move(output));
}

awaitable<upkeep_outcome> store_upkeep::run(repo_store_ptr store, upkeep_kind kind) {
  auto make = [this] { return staging_folder(stores_, pool_, stores_.new_staging_folder()); };
  auto staging = co_await pool_.run(std::move(make));
  if (staging.path().empty()) co_return failure("cannot make a staging folder");
  auto const done = co_await run_in(store, kind, staging.path());
  auto clear = [&] {
    staging.discard();
    stores_.note_adopted(store);
  };
  co_await pool_.run(std::move(clear));
  if (!done) co_return failure(done.error());
  co_return upkeep_outcome{};
}

awaitable<ingest_result<void>> store_upkeep::run_in(repo_store_ptr store, upkeep_kind kind, const fs::path& staged) {
  auto& inside = *store->impl_;
  std::vector<std::string> join;
  auto begin = [&]() -> ingest_result<upkeep_start> {
    auto start = inside.begin_upkeep();
    if (!start) return "cannot begin: " + start.error().message();
    auto const facts = upkeep_facts_of(store->folder(), {});
    join = kind == upkeep_kind::full ? start->packs : packs_to_join(facts ? facts->packs : std::vector<pack_fact>());
    if (auto const staging = stage(staged, store->format(), refs_of(*start)); !staging) return staging.error();
    return std::move(*start);
  };
  auto const start = co_await pool_.run(std::move(begin));
  if (!start) co_return start.error();

  auto const env = beside(staged, *store);
  auto const target = (staged / "objects" / "pack" / "pack").string();
  std::vector<std::string> pack{"pack-objects", "--progress", "--non-empty", "--delta-base-offset"};
  std::string input;
  if (kind == upkeep_kind::full) {
    pack.insert(pack.end(), {"--all", "--keep-true-parents", "--write-bitmap-index"});
  } else {
    pack.emplace_back("--stdin-packs");
    input = pack_lines(start->packs, join);
  }
  pack.push_back(target);
  if (!join.empty()) {
    auto const packed = co_await git(std::move(pack), env, std::move(input));
    if (!packed) co_return packed.error();
  }
  std::vector<std::string> write_graph{"commit-graph", "write", "--reachable", "--progress"};
  auto const graph = co_await git(std::move(write_graph), env, std::string());
  if (!graph) co_return graph.error();

  auto settle = [&]() -> ingest_result<void> {
    replaced_packs old{std::move(join), kind == upkeep_kind::full, start->tips};
    auto done = sync_tree(staged / "objects");
    if (done) done = inside.switch_packs(staged / "objects", std::move(old), start->ledger_state);
    if (!done) return "cannot take in the new packs: " + done.error().message();
    return {};
  };
  co_return co_await pool_.run(std::move(settle));
}

awaitable<drop_result> store_upkeep::drop_replaced(repo_store_ptr store) {
  auto& inside = *store->impl_;
  for (int attempt = 0; attempt < max_proofs; ++attempt) {
    replaced_packs old;
    std::shared_ptr<const oid_set> now;
    oid_list since;
    auto look = [&]() -> std::optional<drop_result> {
      std::lock_guard const alone(inside.writing);
      if (!inside.replaced) return drop_result::nothing;
      if (!inside.readers_of_those.expired()) return drop_result::in_use;
      old = *inside.replaced;
      now = inside.seen().tips;
      if (old.prunes) since = entered_since(*now, *old.kept_tips);
      return std::nullopt;
    };
    auto const answer = co_await pool_.run(std::move(look));
    if (answer) co_return *answer;
    auto const whole = since.empty() ? ingest_result<void>() : co_await prove_whole(store, old, since);
    if (!whole) break;
    auto drop = [&] {
      bool const dropped = inside.drop_replaced(now);
      if (dropped) stores_.note_adopted(store);
      return dropped;
    };
    bool const dropped = co_await pool_.run(std::move(drop));
    if (dropped) co_return drop_result::dropped;
  }
  auto keep = [&] { inside.keep_replaced(); };
  co_await pool_.run(std::move(keep));
  co_return drop_result::kept;
}

/// Whether the history of `tips` is whole in the packs that stay. The graph of commits is no proof, and there is none.
awaitable<ingest_result<void>> store_upkeep::prove_whole(repo_store_ptr store, const replaced_packs& old,
                                                         const oid_list& tips) {
  auto make = [&]() -> ingest_result<staging_folder> {
    staging_folder staging(stores_, pool_, stores_.new_staging_folder());
    if (staging.path().empty()) return std::string("cannot make a staging folder");
    if (auto const staged = stage(staging.path(), store->format(), {}); !staged) return staged.error();
    auto const packs = fs::path("objects") / "pack";
    auto const linked = link_packs(store->folder() / packs, staging.path() / packs, old.packs);
    if (!linked) return linked.error();
    return staging;
  };
  auto made = co_await pool_.run(std::move(make));
  if (!made) co_return made.error();
  std::string input;
  for (auto const& tip : tips) input.append(tip.hex()) += '\n';
  for (auto const& tip : *old.kept_tips) input.append("^").append(tip.hex()) += '\n';
  std::vector<std::string> arguments{"rev-list", "--objects", "--quiet", "--stdin"};
  auto const checked = co_await git(std::move(arguments), repository_environment(made->path(), {}), std::move(input));
  auto clear = [&] { made->discard(); };
  co_await pool_.run(std::move(clear));
  if (!checked) co_return checked.error();
  co_return ingest_result<void>{};
}

awaitable<ingest_result<std::uint64_t>> store_upkeep::dead_bytes(repo_store_ptr store) {
  std::string input;
  for (auto const& tip : *store->view().tips) input.append(tip.hex()) += '\n';
  std::vector<std::string> arguments{"rev-list", "--objects", "--use-bitmap-index", "--disk-usage", "--stdin"};
  auto const printed =
      co_await git(std::move(arguments), repository_environment(store->folder(), {}), std::move(input));
  if (!printed) co_return printed.error();
  std::uint64_t alive = 0;
  std::from_chars(printed->data(), printed->data() + printed->size(), alive);
  auto job = [&store] {
    std::uint64_t sum = 0;
    if (auto const facts = upkeep_facts_of(store->folder(), {}))
      for (auto const& pack : facts->packs) sum += pack.bytes;
    return sum;
  };
  auto const all = co_await pool_.run(std::move(job));
  co_return all > alive ? all - alive : std::uint64_t{0};
}

}  // namespace tankard::cache
