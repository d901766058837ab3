#include "cache/store/store_errc.hpp"

#include <string>

namespace tankard::cache {
namespace {

class category final : public boost::system::error_category {
  const char* name() const noexcept override { return "tankard.store"; }
  std::string message(int e) const override {
    switch (static_cast<store_errc>(e)) {
      case store_errc::damaged_ledger:
        return "the ledger is damaged";
      case store_errc::damaged_refs:
        return "the refs are damaged";
      case store_errc::damaged_pack:
        return "a pack is damaged or incomplete";
      case store_errc::missing_object:
        return "a verified tip is missing";
      case store_errc::wrong_key:
        return "the folder is another repository's";
      case store_errc::other_format:
        return "an object is of another format than the store";
      case store_errc::unreadable:
        return "the repository cannot be read";
      case store_errc::repacked:
        return "the store was repacked meanwhile";
      case store_errc::ended:
        return "the life of the repository that it belongs to has ended";
    }
    return "unknown error";
  }
};

}  // namespace

boost::system::error_code damage_or(const boost::system::error_code& e, store_errc damage) noexcept {
  namespace errc = boost::system::errc;
  bool const own = e == errc::no_such_file_or_directory || e == errc::not_a_directory || e == errc::is_a_directory ||
                   e == errc::invalid_argument || e == errc::file_too_large || e == errc::too_many_symbolic_link_levels;
  return own ? make_error_code(damage) : e;
}

bool is_damage(const boost::system::error_code& e) noexcept { return e.category() == store_category(); }

const boost::system::error_category& store_category() noexcept {
  static const category instance;
  return instance;
}

}  // namespace tankard::cache
