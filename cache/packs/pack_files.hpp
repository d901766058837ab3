#pragma once
// The files of the pack cache: <folder>/v1/<pack_name>. Blocking. Thread-safe: each call stands for itself.
// A response comes in as a temp file, flushed, and gets its name by rename: it is there whole or not at all.

#include <atomic>
#include <boost/system/result.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cache/io/clock.hpp"
#include "cache/io/unique_fd.hpp"
#include "cache/packs/pack_key.hpp"

namespace tankard::cache {

class pack_files {
 public:
  template <class T>
  using result = boost::system::result<T>;

  explicit pack_files(std::filesystem::path folder) : root_(std::move(folder)), folder_(root_ / "v1") {}

  struct listed {
    pack_name name;
    wall_point used;  ///< last
  };
  struct listing {
    std::vector<listed> entries;  ///< the one not used for longest first
    std::size_t damaged = 0;      ///< files that were no entries: removed
  };
  /// Makes the folders, removes what a crash left and what is no entry.
  result<listing> load();

  /// A response that has no name yet: its temp file goes with it.
  class staged {
   public:
    staged() = default;
    staged(std::filesystem::path temp, bool is_copy) : temp_(std::move(temp)), is_copy_(is_copy) {}
    staged(staged&& other) noexcept { swap(other); }
    staged& operator=(staged&& other) noexcept {
      swap(other);
      return *this;
    }
    ~staged();
    const std::filesystem::path& path() const noexcept { return temp_; }
    /// The bytes were written anew, so they are to be verified; else it is the very file they were digested for.
    bool is_copy() const noexcept { return is_copy_; }

   private:
    void swap(staged& other) noexcept {
      temp_.swap(other.temp_);
      std::swap(is_copy_, other.is_copy_);
    }
    std::filesystem::path temp_;
    bool is_copy_ = false;
  };
  /// Takes the first `size` bytes of an open file: by a link where the file system allows it, else by a copy. Durable.
  result<staged> stage(int fd, std::uint64_t size, wall_point now);
  result<void> place(const staged& from, const pack_name& name);

  /// Opens an entry to read. Errors: bad_message where it is no file of its size, those of open(2).
  result<unique_fd> open(const pack_name& name) const;
  /// Whether an error of open() or verify() is the entry's own. Others (no descriptors, no rights) may pass.
  static bool is_damage(const boost::system::error_code& e) noexcept;
  /// Reads it all. Errors: bad_message where its bytes are not those of its name.
  static result<void> verify(int fd, const pack_name& name);

  result<void> remove(const pack_name& name);
  void set_last_use(const pack_name& name, wall_point at) noexcept;
  /// Makes what was placed and removed durable.
  result<void> sync();

 private:
  std::filesystem::path path_of(const pack_name& name) const { return folder_ / name.text(); }
  std::filesystem::path new_temp();

  const std::filesystem::path root_;
  const std::filesystem::path folder_;
  std::atomic<std::uint64_t> temps_{0};
};

}  // namespace tankard::cache
