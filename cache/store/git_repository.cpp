#include "cache/store/git_repository.hpp"

#include <git2.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <mutex>
#include <utility>

#include "cache/store/store_errc.hpp"

namespace tankard::cache {
namespace {

using protocol::object_id;

constexpr std::size_t max_open_pack_files = 256;
constexpr ssize_t object_cache_bytes = ssize_t{32} << 20;
constexpr int max_tag_depth = 16;  // tags of tags

/// libgit2 keeps its error per thread until the next call: taken at once.
std::string last_error(const char* what) {
  const git_error* const e = ::git_error_last();
  return std::string(what) + ": " + (e != nullptr && e->message != nullptr ? e->message : "unknown error");
}

git_oid to_git(const object_id& oid) {
  git_oid out;
  ::git_oid_fromraw(&out, reinterpret_cast<const unsigned char*>(oid.raw().data()));
  return out;
}

object_id from_git(const git_oid& oid) {
  return *object_id::from_raw({reinterpret_cast<const std::byte*>(oid.id), GIT_OID_RAWSZ});
}

template <auto Free>
struct freer {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
using repository_ptr = std::unique_ptr<::git_repository, freer<::git_repository_free>>;
using odb_ptr = std::unique_ptr<::git_odb, freer<::git_odb_free>>;
using revwalk_ptr = std::unique_ptr<::git_revwalk, freer<::git_revwalk_free>>;
using odb_object_ptr = std::unique_ptr<::git_odb_object, freer<::git_odb_object_free>>;
using tag_ptr = std::unique_ptr<::git_tag, freer<::git_tag_free>>;

}  // namespace

struct git_repository::handle {
  std::filesystem::path folder;
  std::uint64_t version = 0;
  repository_ptr repo;
  odb_ptr odb;
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

libgit2_runtime::libgit2_runtime() {
  if (::git_libgit2_init() > 1) return;
  ::git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  ::git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, max_open_pack_files);
  ::git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, object_cache_bytes);
  for (int const level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL})
    ::git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
}

libgit2_runtime::~libgit2_runtime() {
  idle_handles::instance().forget(nullptr);
  ::git_libgit2_shutdown();
}

git_repository::git_repository(std::unique_ptr<handle> h) : handle_(std::move(h)) {}
git_repository::git_repository(git_repository&&) noexcept = default;
git_repository::~git_repository() {
  if (handle_) idle_handles::instance().keep(std::move(handle_));
}
void git_repository::discard() noexcept { handle_.reset(); }
void git_repository::forget(const std::filesystem::path& folder) { idle_handles::instance().forget(&folder); }

git_result<git_repository> git_repository::open(const std::filesystem::path& folder, std::uint64_t version) {
  auto idle = idle_handles::instance().take(folder);
  if (idle && idle->version == version) return git_repository(std::move(idle));
  idle.reset();  // a refresh would add new packs to its list, but keep those that are gone
  auto h = std::make_unique<handle>();
  h->version = version;
  if (!open_new(folder, *h)) return last_error("cannot open the repository");
  return git_repository(std::move(h));
}

bool git_repository::open_new(const std::filesystem::path& folder, handle& h) {
  h.folder = folder;
  ::git_repository* repo = nullptr;
  constexpr unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE | GIT_REPOSITORY_OPEN_NO_DOTGIT;
  // Unlike open_bare, this refuses foreign extensions.
  if (::git_repository_open_ext(&repo, folder.c_str(), flags, nullptr) != 0) return false;
  h.repo.reset(repo);
  ::git_odb* odb = nullptr;
  if (::git_repository_odb(&odb, repo) != 0) return false;
  h.odb.reset(odb);
  return true;
}

boost::system::result<void> git_repository::probe(const std::filesystem::path& folder) {
  forget(folder);
  handle h;
  errno = 0;
  if (open_new(folder, h)) return {};
  int const number = errno;
  const git_error* const e = ::git_error_last();
  auto const& system = boost::system::system_category();
  if (e != nullptr && e->klass == GIT_ERROR_NOMEMORY) return boost::system::error_code(ENOMEM, system);
  if (e != nullptr && e->klass == GIT_ERROR_OS) return boost::system::error_code(number != 0 ? number : EIO, system);
  return store_errc::unreadable;
}

git_result<void> git_repository::refresh() const {
  if (::git_odb_refresh(handle_->odb.get()) != 0) return last_error("cannot refresh");
  return {};
}

bool git_repository::has(const object_id& oid) const {
  if (oid.format() != protocol::object_format::sha1) return false;
  auto const id = to_git(oid);
  return ::git_odb_exists_ext(handle_->odb.get(), &id, GIT_ODB_LOOKUP_NO_REFRESH) == 1;
}

git_result<git_repository::target> git_repository::peel(const object_id& oid) const {
  target t{oid, false, false};
  for (int depth = 0; depth < max_tag_depth; ++depth) {
    if (!has(t.oid)) return "object " + t.oid.hex() + " is missing";
    auto const id = to_git(t.oid);
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (::git_odb_read_header(&size, &type, handle_->odb.get(), &id) != 0) return last_error("cannot read an object");
    if (type != GIT_OBJECT_TAG) {
      t.commit = type == GIT_OBJECT_COMMIT;
      return t;
    }
    ::git_tag* tag = nullptr;
    if (::git_tag_lookup(&tag, handle_->repo.get(), &id) != 0) return last_error("cannot read a tag");
    tag_ptr const owner(tag);
    t.oid = from_git(*::git_tag_target_id(tag));
    t.tag = true;
  }
  return "tags of tags beyond " + std::to_string(max_tag_depth);
}

git_result<git_repository::content> git_repository::read(const object_id& oid) const {
  if (!has(oid)) return "object " + oid.hex() + " is missing";
  auto const id = to_git(oid);
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  if (::git_odb_read_header(&size, &type, handle_->odb.get(), &id) != 0) return last_error("cannot read an object");
  if (size > max_read_bytes) return "object " + oid.hex() + " is too large";
  ::git_odb_object* object = nullptr;
  if (::git_odb_read(&object, handle_->odb.get(), &id) != 0) return last_error("cannot read an object");
  odb_object_ptr const owner(object);
  return content(static_cast<const char*>(::git_odb_object_data(object)), ::git_odb_object_size(object));
}

git_result<std::vector<object_id>> git_repository::ancestors_among(const std::vector<object_id>& commits,
                                                                   const std::unordered_set<object_id>& wanted) const {
  ::git_revwalk* raw = nullptr;
  if (::git_revwalk_new(&raw, handle_->repo.get()) != 0) return last_error("cannot walk the history");
  revwalk_ptr const walk(raw);
  for (auto const& c : commits)
    if (auto const id = to_git(c); ::git_revwalk_push(raw, &id) != 0) return last_error("cannot walk the history");
  std::vector<object_id> found;
  git_oid id;
  int r = 0;
  while (found.size() < wanted.size() && (r = ::git_revwalk_next(&id, raw)) == 0)
    if (auto const oid = from_git(id); wanted.contains(oid)) found.push_back(oid);
  if (r != 0 && r != GIT_ITEROVER) return last_error("cannot walk the history");
  return found;
}

}  // namespace tankard::cache
