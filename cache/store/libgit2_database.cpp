#include "cache/store/libgit2_database.hpp"

#include <git2.h>

#include <cerrno>
#include <utility>

#include "cache/store/store_errc.hpp"

namespace tankard::cache {
namespace {

using protocol::object_id;

constexpr std::size_t max_open_pack_files = 256;
constexpr ssize_t object_cache_bytes = ssize_t{32} << 20;

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

class libgit2_database final : public object_database {
 public:
  /// False where it cannot: libgit2 has the reason.
  bool open(const std::filesystem::path& folder) {
    ::git_repository* repo = nullptr;
    constexpr unsigned flags = GIT_REPOSITORY_OPEN_NO_SEARCH | GIT_REPOSITORY_OPEN_BARE | GIT_REPOSITORY_OPEN_NO_DOTGIT;
    // Unlike open_bare, this refuses foreign extensions.
    if (::git_repository_open_ext(&repo, folder.c_str(), flags, nullptr) != 0) return false;
    repo_.reset(repo);
    ::git_odb* odb = nullptr;
    if (::git_repository_odb(&odb, repo) != 0) return false;
    odb_.reset(odb);
    return true;
  }

  git_result<void> refresh() override {
    if (::git_odb_refresh(odb_.get()) != 0) return last_error("cannot refresh");
    return {};
  }

  bool has(const object_id& oid) override {
    if (oid.format() != protocol::object_format::sha1) return false;
    auto const id = to_git(oid);
    return ::git_odb_exists_ext(odb_.get(), &id, GIT_ODB_LOOKUP_NO_REFRESH) == 1;
  }

  git_result<object_kind> kind_of(const object_id& oid) override {
    auto const head = head_of(oid);
    if (!head) return head.error();
    switch (head->type) {
      case GIT_OBJECT_COMMIT:
        return object_kind::commit;
      case GIT_OBJECT_TREE:
        return object_kind::tree;
      case GIT_OBJECT_TAG:
        return object_kind::tag;
      default:
        return object_kind::blob;
    }
  }

  git_result<object_content> read(const object_id& oid) override {
    auto const head = head_of(oid);
    if (!head) return head.error();
    if (head->size > max_read_bytes) return "object " + oid.hex() + " is too large";
    ::git_odb_object* object = nullptr;
    auto const id = to_git(oid);
    if (::git_odb_read(&object, odb_.get(), &id) != 0) return last_error("cannot read an object");
    odb_object_ptr const owner(object);
    return object_content(static_cast<const char*>(::git_odb_object_data(object)), ::git_odb_object_size(object));
  }

  git_result<std::vector<object_id>> ancestors_among(const std::vector<object_id>& commits,
                                                     const std::unordered_set<object_id>& wanted,
                                                     const walk_end& end) override {
    ::git_revwalk* raw = nullptr;
    if (::git_revwalk_new(&raw, repo_.get()) != 0) return last_error("cannot walk the history");
    revwalk_ptr const walk(raw);
    for (auto const& c : commits)
      if (auto const id = to_git(c); ::git_revwalk_push(raw, &id) != 0) return last_error("cannot walk the history");
    std::vector<object_id> found;
    git_oid id;
    int r = 0;
    while (found.size() < wanted.size() && !end.reached() && (r = ::git_revwalk_next(&id, raw)) == 0)
      if (auto const oid = from_git(id); wanted.contains(oid)) found.push_back(oid);
    if (r != 0 && r != GIT_ITEROVER) return last_error("cannot walk the history");
    return found;
  }

 private:
  struct object_head {
    git_object_t type = GIT_OBJECT_INVALID;
    std::size_t size = 0;
  };
  git_result<object_head> head_of(const object_id& oid) {
    if (!has(oid)) return "object " + oid.hex() + " is missing";
    object_head head;
    auto const id = to_git(oid);
    if (::git_odb_read_header(&head.size, &head.type, odb_.get(), &id) != 0) return last_error("cannot read an object");
    return head;
  }

  repository_ptr repo_;
  odb_ptr odb_;
};

}  // namespace

void start_libgit2() {
  if (::git_libgit2_init() > 1) return;
  ::git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  ::git_libgit2_opts(GIT_OPT_SET_MWINDOW_FILE_LIMIT, max_open_pack_files);
  ::git_libgit2_opts(GIT_OPT_SET_CACHE_MAX_SIZE, object_cache_bytes);
  for (int const level : {GIT_CONFIG_LEVEL_SYSTEM, GIT_CONFIG_LEVEL_XDG, GIT_CONFIG_LEVEL_GLOBAL})
    ::git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, level, "");
}

void end_libgit2() noexcept { ::git_libgit2_shutdown(); }

git_result<object_database_ptr> open_libgit2_database(const std::filesystem::path& folder) {
  auto database = std::make_unique<libgit2_database>();
  if (!database->open(folder)) return last_error("cannot open the repository");
  return object_database_ptr(std::move(database));
}

boost::system::result<void> probe_libgit2_database(const std::filesystem::path& folder) {
  libgit2_database database;
  errno = 0;
  if (database.open(folder)) return {};
  int const number = errno;
  const git_error* const e = ::git_error_last();
  auto const& system = boost::system::system_category();
  if (e != nullptr && e->klass == GIT_ERROR_NOMEMORY) return boost::system::error_code(ENOMEM, system);
  if (e != nullptr && e->klass == GIT_ERROR_OS) return boost::system::error_code(number != 0 ? number : EIO, system);
  return store_errc::unreadable;
}

}  // namespace tankard::cache
