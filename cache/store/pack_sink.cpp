#include "cache/store/pack_sink.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "cache/store/store_errc.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;

/// Blocking. An objects folder for git to write to.
ingest_result<staging_folder> make_staging(store_set& stores, blocking_pool& pool) {
  auto folder = stores.new_staging_folder();
  bool const made = !folder.empty();
  staging_folder out(stores, pool, std::move(folder));
  std::error_code ec;
  if (made) fs::create_directories(out.path() / "objects" / "pack", ec);
  if (!made || ec) return std::string("cannot make a staging folder");
  return out;
}

}  // namespace

awaitable<ingest_result<std::unique_ptr<pack_sink>>> store_ingest::begin_sync(repo_store_ptr store) {
  auto const ex = co_await asio::this_coro::executor;
  auto job = [this] { return make_staging(stores_, pool_); };
  auto made = co_await pool_.run(std::move(job));
  if (!made) co_return made.error();
  auto staging = std::move(*made);
  auto const options = git_command(limits_, 2, {"index-pack", "--stdin", "--fix-thin"},
                                   repository_environment(store->folder(), staging.path() / "objects"));
  auto child = watched_child::spawn(ex, options, limits_.stall);
  if (!child) co_return child.error();
  co_return std::unique_ptr<pack_sink>(
      std::make_unique<sync_sink>(*this, std::move(store), std::move(staging), std::move(*child)));
}

awaitable<ingest_result<void>> store_ingest::sync_sink::write(std::string_view pack_bytes) {
  if (!child_) co_return std::string("the sync has failed");
  auto written = co_await child_->write(pack_bytes);
  if (!written) co_await drop();
  co_return written;
}

awaitable<ingest_result<void>> store_ingest::sync_sink::commit(std::vector<protocol::object_id> wants) {
  if (!child_) co_return std::string("the sync has failed");
  auto result = co_await take_in(std::move(wants));
  co_await drop();
  co_return result;
}

awaitable<ingest_result<void>> store_ingest::sync_sink::take_in(std::vector<protocol::object_id> wants) {
  auto const indexed = co_await child_->finish();
  if (!indexed) co_return indexed.error();
  if (wants.empty()) co_return std::string("no wants to verify");
  for (auto const& want : wants)
    if (want.format() != store_->format()) co_return make_error_code(store_errc::other_format).message();
  co_return co_await owner_.take_in(store_, staging_.path() / "objects", std::move(wants));
}

/// The child has ended or is killed here; what it wrote is gone when this returns.
awaitable<void> store_ingest::sync_sink::drop() {
  child_.reset();
  auto job = [this] { staging_.discard(); };
  co_await owner_.pool_.run(std::move(job));
}

}  // namespace tankard::cache
