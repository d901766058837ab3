#pragma once
// What can be wrong with a store's folder. A damaged store is trashed and fetched anew, never repaired; one that only
// could not be read is left alone. Thread-safe.

#include <boost/system/error_code.hpp>

namespace tankard::cache {

enum class store_errc {
  /// The ledger is missing, torn, or its checksum is wrong.
  damaged_ledger = 1,
  /// packed-refs is missing, torn, or its checksum is wrong; or HEAD does not parse.
  damaged_refs,
  /// A pack without its index, or the other way round, or a pack that is shorter than its index says.
  damaged_pack,
  /// A verified tip is not in the packs.
  missing_object,
  /// The folder is another repository's.
  wrong_key,
  /// Objects of another format (SHA-1, SHA-256) than the others.
  other_format,
  /// libgit2, or git, cannot open the folder or read an object.
  unreadable,
  /// No damage: packs went while something was verified against them. To be verified again.
  repacked,
  /// No damage: the generation has ended, and the store takes nothing in any more.
  ended,
};

const boost::system::error_category& store_category() noexcept;

inline boost::system::error_code make_error_code(store_errc e) noexcept {
  return {static_cast<int>(e), store_category()};
}

/// `damage` where the system's error is the file's own (it is missing, or no file); else the error as it is: without
/// descriptors, memory or rights, or on a disk that fails to answer, nothing is known of the file.
boost::system::error_code damage_or(const boost::system::error_code& e, store_errc damage) noexcept;
/// Whether the error of repo_store::open tells that the store is damaged. Others may pass.
bool is_damage(const boost::system::error_code& e) noexcept;

}  // namespace tankard::cache

template <>
struct boost::system::is_error_code_enum<tankard::cache::store_errc> : std::true_type {};
