#include "cache/store/store_ingest.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <cerrno>

#include "cache/io/atomic_file.hpp"
#include "cache/store/git_child.hpp"
#include "cache/store/git_repository.hpp"
#include "cache/store/pack_spool_impl.hpp"
#include "cache/store/store_errc.hpp"
#include "cache/store/store_files.hpp"
#include "cache/store/store_folder.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
using protocol::object_id;
using oid_list = std::vector<object_id>;

constexpr int max_verifications = 3;

/// The sentence why these cannot be entered into the ledger of a store of this format; empty where they can.
std::string refusal(const oid_list& wants, protocol::object_format format) {
  if (wants.empty()) return "no wants to verify";
  bool const fit = std::ranges::all_of(wants, [&](auto const& w) { return w.format() == format; });
  return fit ? "" : make_error_code(store_errc::other_format).message();
}

/// Blocking. Makes the staging folder a bare repository with the spooled pack in it, under its own name; returns the
/// pack.
ingest_result<void> prepare(const fs::path& folder, protocol::object_format format, const fs::path& spooled,
                            fs::path& pack) {
  if (auto const made = make_bare_repository(folder, format); !made)
    return "cannot stage a store: " + made.error().message();
  auto const digest = pack_digest(spooled, format);
  if (!digest) return std::string("the spool is not a pack");
  pack = folder / "objects" / "pack" / ("pack-" + *digest + ".pack");
  if (::rename(spooled.c_str(), pack.c_str()) != 0)
    return "cannot stage a pack: " + error_code(errno, boost::system::system_category()).message();
  if (auto const synced = sync_file(pack); !synced) return "cannot write a pack: " + synced.error().message();
  return {};
}

/// Blocking. Empty, or the sentence which want the indexed pack lacks.
std::string lacking(const fs::path& folder, const oid_list& wants) {
  std::string out;
  {
    auto git = git_repository::open(folder, 0, wants.front().format());
    if (!git) return git.error();
    auto const missing = std::ranges::find_if(wants, [&](auto const& w) { return !git->has(w); });
    if (missing != wants.end()) out = "the pack lacks " + missing->hex();
    git->discard();  // the folder is about to move
  }
  return out;
}

struct new_store {
  repo_key key;
  std::string generation;
  oid_list wants;
};

/// Blocking. The staged and indexed repository becomes a store.
ingest_result<repo_store_ptr> settle(store_set& stores, staging_folder& staging, const new_store& n) {
  if (auto const missing = lacking(staging.path(), n.wants); !missing.empty()) return missing;
  oid_list tips;
  oid_set seen;
  std::ranges::copy_if(n.wants, std::back_inserter(tips), [&](auto const& w) { return seen.insert(w).second; });
  auto written = write_file_atomically(staging.path() / ledger_file, write_ledger(tips));
  if (written) written = write_file_atomically(staging.path() / key_file, key_text(n.key, n.generation));
  if (written) written = sync_tree(staging.path());
  if (!written) return "cannot write a store: " + written.error().message();

  auto const folder = stores.folder_of(n.key, n.generation);
  std::error_code ec;
  fs::create_directories(folder.parent_path(), ec);
  if (::rename(staging.path().c_str(), folder.c_str()) != 0) {
    bool const taken = errno == ENOTEMPTY || errno == EEXIST;
    if (taken) return std::string("a store of this generation exists already");
    return "cannot adopt a store: " + error_code(errno, boost::system::system_category()).message();
  }
  for (auto const& parent : {folder.parent_path(), folder.parent_path().parent_path()}) (void)sync_directory(parent);
  auto opened = repo_store::open(folder, n.key, n.generation);
  if (!opened) {
    (void)::rename(folder.c_str(), staging.path().c_str());  // nobody would find it, and it would be in the way
    return "cannot open the new store: " + opened.error().message();
  }
  staging.release();
  stores.note_adopted(*opened);
  return *opened;
}

}  // namespace

store_ingest::store_ingest(store_set& stores, blocking_pool& pool, ingest_limits limits)
    : stores_(stores), pool_(pool), limits_(limits) {}

awaitable<ingest_result<repo_store_ptr>> store_ingest::adopt_first_pack(repo_key key, std::string generation,
                                                                        std::unique_ptr<pack_spool> spool,
                                                                        std::vector<object_id> wants) {
  auto const ex = co_await asio::this_coro::executor;
  spool->impl_->close();
  auto const spooled = spool->impl_->file();
  auto staging = std::move(spool->impl_->folder);
  auto const drop = [&staging] { staging.discard(); };  // before the answer, so that a failure leaves nothing behind it
  auto const format = wants.empty() ? protocol::object_format::sha1 : wants.front().format();
  auto error = refusal(wants, format);
  fs::path pack;
  if (error.empty()) {
    auto job = [&staging, format, &spooled, &pack] { return prepare(staging.path(), format, spooled, pack); };
    auto const prepared = co_await pool_.run(std::move(job));
    if (!prepared) error = prepared.error();
  }
  if (error.empty()) {
    // Not --strict, which also fscks every object and so refuses many an old repository that git itself clones: this is
    // the check of `git clone`. Its exit code is 1 where the pack is sound but its history is not all in it.
    std::vector<std::string> arguments{"index-pack", "--check-self-contained-and-connected", pack.string()};
    auto options = git_command(limits_, 1, std::move(arguments), repository_environment(staging.path(), {}));
    options.niceness = limits_.niceness;
    auto child = watched_child::spawn(ex, options, limits_.stall);
    if (!child) error = child.error();
    if (child) {
      auto const indexed = co_await (*child)->finish();
      if (!indexed) error = (*child)->status().code == 1 ? "the pack is not self-contained" : indexed.error();
    }
  }
  if (error.empty()) {
    new_store const description{std::move(key), std::move(generation), std::move(wants)};
    auto job = [this, &staging, &description] { return settle(stores_, staging, description); };
    auto settled = co_await pool_.run(std::move(job));
    if (settled) co_return settled;
    error = settled.error();
  }
  co_await pool_.run(drop);
  co_return error;
}

awaitable<ingest_result<void>> store_ingest::verify(const repo_store& store, const fs::path& staged_objects,
                                                    const oid_list& tips) {
  auto const ex = co_await asio::this_coro::executor;
  auto const reading = store.begin_reading();
  // Without the commit-graph: what is read from it is not proven to be in the packs.
  std::vector<std::string> arguments{"-c", "core.commitGraph=false", "rev-list", "--objects", "--quiet", "--stdin"};
  auto const options =
      git_command(limits_, 1, std::move(arguments), repository_environment(store.folder(), staged_objects));
  std::string input;  // git 2.39 has no `--not` on stdin
  for (auto const& tip : tips) input.append(tip.hex()) += '\n';
  auto const known = store.view().tips;
  for (auto const& tip : *known) input.append("^").append(tip.hex()) += '\n';
  auto child = watched_child::spawn(ex, options, limits_.stall);
  if (!child) co_return child.error();
  auto const written = co_await (*child)->write(input);
  if (!written) co_return written.error();
  auto const checked = co_await (*child)->finish();
  bool const git_said_so = (*child)->status().code == 128;  // not where it was killed or could not start
  if (!checked) co_return std::string(git_said_so ? history_incomplete : "cannot verify: ") + checked.error();
  co_return ingest_result<void>{};
}

/// Objects that upkeep removed between the check and the adoption may have been part of what was found whole: then it
/// is checked again, against what is left. The packs that come in are found in `staged_objects`, where there are any.
awaitable<ingest_result<void>> store_ingest::take_in(repo_store_ptr store, fs::path staged_objects, oid_list tips) {
  auto const packs = staged_objects.empty() ? fs::path() : staged_objects / "pack";
  for (int attempt = 0; attempt < max_verifications; ++attempt) {
    auto const verified_at = store->prunings();
    auto const verified = co_await verify(*store, staged_objects, tips);
    if (!verified) co_return verified.error();
    auto job = [&] { return store->adopt(packs, tips, verified_at); };
    auto const adopted = co_await pool_.run(std::move(job));
    if (!adopted && adopted.error() == store_errc::repacked) continue;
    if (!adopted) co_return "cannot adopt a pack: " + adopted.error().message();
    auto note = [this, &store] { stores_.note_adopted(store); };
    co_await pool_.run(std::move(note));
    co_return ingest_result<void>{};
  }
  co_return std::string("the store was repacked again and again");
}

awaitable<ingest_result<void>> store_ingest::verify_present(repo_store_ptr store, std::vector<object_id> tips) {
  auto const known = store->view().tips;
  std::erase_if(tips, [&](auto const& t) { return known->contains(t); });
  if (tips.empty()) co_return ingest_result<void>{};
  if (auto error = refusal(tips, store->format()); !error.empty()) co_return error;
  fs::path const nothing_staged;
  co_return co_await take_in(std::move(store), nothing_staged, std::move(tips));
}

}  // namespace tankard::cache
