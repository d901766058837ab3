#include "cache/store/git_repository.hpp"

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>
#include <utility>

#include "cache/store/libgit2_database.hpp"

namespace tankard::cache {
namespace {

using protocol::object_format;
using protocol::object_id;

constexpr int max_tag_depth = 16;  // tags of tags

git_process_limits process_limits;  // written before there are threads

git_result<object_database_ptr> open_database(const std::filesystem::path& folder, object_format format) {
  return format == object_format::sha1 ? open_libgit2_database(folder)
                                       : open_git_process_database(folder, process_limits);
}

/// What an annotated tag names: its first line is "object <oid>".
std::optional<object_id> object_of_tag(std::string_view tag) {
  constexpr std::string_view word = "object ";
  if (!tag.starts_with(word)) return std::nullopt;
  auto const oid = object_id::from_hex(tag.substr(word.size(), tag.find('\n') - word.size()));
  return oid ? std::optional(*oid) : std::nullopt;
}

}  // namespace

struct git_repository::handle {
  handle(std::filesystem::path f, std::uint64_t v, object_format o, object_database_ptr d)
      : folder(std::move(f)), version(v), format(o), objects(std::move(d)) {}
  std::filesystem::path folder;
  std::uint64_t version = 0;
  object_format format = object_format::sha1;
  object_database_ptr objects;
};

/// The most recently used first.
class idle_handles {
 public:
  using handle = git_repository::handle;
  std::unique_ptr<handle> take(const std::filesystem::path& folder) {
    std::lock_guard const lock(mu_);
    auto const it = std::ranges::find_if(idle_, [&](auto const& h) { return h->folder == folder; });
    if (it == idle_.end()) return nullptr;
    auto out = std::move(*it);
    idle_.erase(it);
    return out;
  }
  void keep(std::unique_ptr<handle> h) {
    std::unique_ptr<handle> oldest;  // closed after the lock
    std::lock_guard const lock(mu_);
    idle_.push_front(std::move(h));
    if (idle_.size() <= max_idle_handles) return;
    oldest = std::move(idle_.back());
    idle_.pop_back();
  }
  void forget(const std::filesystem::path* folder) {
    std::list<std::unique_ptr<handle>> gone;
    std::lock_guard const lock(mu_);
    for (auto it = idle_.begin(); it != idle_.end();) {
      auto const next = std::next(it);
      if (folder == nullptr || (*it)->folder == *folder) gone.splice(gone.end(), idle_, it);
      it = next;
    }
  }
  static idle_handles& instance() {
    static idle_handles all;
    return all;
  }

 private:
  std::mutex mu_;
  std::list<std::unique_ptr<handle>> idle_;  // guarded by mu_
};

git_runtime::git_runtime(const git_process_limits& limits) {
  process_limits = limits;
  walks_stopped = false;
  start_libgit2();
}

git_runtime::~git_runtime() {
  idle_handles::instance().forget(nullptr);
  end_libgit2();
}

git_repository::git_repository(std::unique_ptr<handle> h) : handle_(std::move(h)) {}
git_repository::git_repository(git_repository&&) noexcept = default;
git_repository::~git_repository() {
  if (handle_ && handle_->format == object_format::sha1) idle_handles::instance().keep(std::move(handle_));
}
void git_repository::discard() noexcept { handle_.reset(); }
void git_repository::forget(const std::filesystem::path& folder) { idle_handles::instance().forget(&folder); }

git_result<git_repository> git_repository::open(const std::filesystem::path& folder, std::uint64_t version,
                                                object_format format) {
  auto idle = idle_handles::instance().take(folder);
  if (idle && idle->version == version) return git_repository(std::move(idle));
  idle.reset();  // a refresh would add new packs to its list, but keep those that are gone
  auto objects = open_database(folder, format);
  if (!objects) return objects.error();
  return git_repository(std::make_unique<handle>(folder, version, format, std::move(*objects)));
}

boost::system::result<void> git_repository::probe(const std::filesystem::path& folder, object_format format) {
  forget(folder);
  return format == object_format::sha1 ? probe_libgit2_database(folder) : probe_git_directory(folder);
}

bool git_repository::is_broken() const noexcept { return handle_->objects->is_broken(); }
git_result<void> git_repository::refresh() const { return handle_->objects->refresh(); }
bool git_repository::has(const object_id& oid) const { return handle_->objects->has(oid); }
git_result<object_content> git_repository::read(const object_id& oid) const { return handle_->objects->read(oid); }
git_result<std::vector<object_id>> git_repository::ancestors_among(const std::vector<object_id>& commits,
                                                                   const std::unordered_set<object_id>& wanted,
                                                                   const walk_end& end) const {
  return handle_->objects->ancestors_among(commits, wanted, end);
}

git_result<git_repository::target> git_repository::peel(const object_id& oid) const {
  target t{oid, false, false};
  for (int depth = 0; depth < max_tag_depth; ++depth) {
    auto const kind = handle_->objects->kind_of(t.oid);
    if (!kind) return kind.error();
    t.commit = *kind == object_kind::commit;
    if (*kind != object_kind::tag) return t;
    auto const tag = read(t.oid);
    if (!tag) return tag.error();
    auto const named = object_of_tag(tag->bytes);
    if (!named) return "tag " + t.oid.hex() + " is malformed";
    t.oid = *named;
    t.tag = true;
  }
  return "tags of tags beyond " + std::to_string(max_tag_depth);
}

}  // namespace tankard::cache
