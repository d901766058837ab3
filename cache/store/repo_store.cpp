#include "cache/store/repo_store.hpp"

#include <algorithm>

#include "cache/io/atomic_file.hpp"
#include "cache/store/pack_index.hpp"
#include "cache/store/repo_store_impl.hpp"
#include "cache/store/store_errc.hpp"
#include "cache/store/store_folder.hpp"
#include "protocol/ref_name.hpp"

namespace tankard::cache {

using protocol::object_id;

repo_store::repo_store(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
repo_store::~repo_store() = default;

boost::system::result<std::shared_ptr<repo_store>> repo_store::open(const std::filesystem::path& folder,
                                                                    const repo_key& key,
                                                                    const std::string& generation) {
  auto i = std::make_unique<impl>(folder, key, generation);
  if (auto const loaded = i->load(); !loaded) return loaded.error();
  return std::shared_ptr<repo_store>(new repo_store(std::move(i)));
}

const std::filesystem::path& repo_store::folder() const noexcept { return impl_->folder; }
const repo_key& repo_store::key() const noexcept { return impl_->key; }
const std::string& repo_store::generation() const noexcept { return impl_->generation; }
protocol::object_format repo_store::format() const noexcept { return impl_->format; }
store_view repo_store::view() const { return impl_->seen(); }
std::uint64_t repo_store::disk_bytes() const { return bytes_below(impl_->folder); }
std::vector<object_id> repo_store::not_servable(const std::vector<object_id>& wants) const {
  return impl_->outside(wants);
}
std::vector<object_id> repo_store::unreachable(const std::vector<object_id>& wants,
                                               const std::vector<object_id>& tips) const {
  return impl_->unreachable(wants, tips);
}
std::vector<object_id> repo_store::existing(const std::vector<object_id>& oids) const { return impl_->existing(oids); }
boost::system::result<void> repo_store::publish_refs(const ref_table& table,
                                                     const std::vector<std::string>& mirrored_prefixes) {
  return impl_->publish(table, mirrored_prefixes);
}
boost::system::result<void> repo_store::adopt(const std::filesystem::path& packs, const std::vector<object_id>& tips,
                                              std::uint64_t verified_at) {
  return impl_->adopt(packs, tips, verified_at);
}
boost::system::result<std::size_t> repo_store::expire_tips(const std::vector<object_id>& tips) {
  return impl_->expire(tips);
}
store_lease repo_store::begin_reading() const { return impl_->lease(); }
void repo_store::end_life() noexcept { impl_->ended = true; }
std::uint64_t repo_store::prunings() const noexcept { return impl_->prunings; }
bool repo_store::has_replaced_packs() const noexcept { return impl_->has_replaced; }

boost::system::result<void> repo_store::impl::load() {
  auto const read = [&](std::string_view name) { return read_file(folder / name, max_store_file); };
  auto const named = read(key_file);
  if (!named) return damage_or(named.error(), store_errc::wrong_key);
  if (*named != key_text(key, generation)) return store_errc::wrong_key;
  auto const ledger_bytes = read(ledger_file);
  if (!ledger_bytes) return damage_or(ledger_bytes.error(), store_errc::damaged_ledger);
  auto tips = parse_ledger(*ledger_bytes);
  if (!tips) return tips.error();
  auto const refs_bytes = read(packed_refs_file);
  if (!refs_bytes) return damage_or(refs_bytes.error(), store_errc::damaged_refs);
  auto const head_bytes = read(head_file);
  if (!head_bytes) return damage_or(head_bytes.error(), store_errc::damaged_refs);
  auto refs = parse_packed_refs(*refs_bytes);
  auto parsed_head = parse_head(*head_bytes);
  if (!refs || !parsed_head) return store_errc::damaged_refs;

  auto const config_bytes = read(config_file);
  if (!config_bytes) return damage_or(config_bytes.error(), store_errc::unreadable);
  format = format_of_config(*config_bytes);
  if (!tips->empty() && tips->front().format() != format) return store_errc::unreadable;

  auto const packs = folder / "objects" / "pack";
  if (auto const sound = check_packs(packs, format); !sound) return sound.error();
  auto const missing = not_indexed(packs, *tips, format);
  if (!missing) return missing.error();
  if (!missing->empty()) return store_errc::missing_object;
  if (auto const git = git_repository::probe(folder, format); !git) return git.error();
  auto all = std::make_shared<oid_set>(tips->begin(), tips->end());
  bool const head_fits = !parsed_head->oid || parsed_head->oid->format() == format;
  if (!head_fits || !std::ranges::all_of(*refs, [&](auto const& r) { return all->contains(r.second.oid); }))
    return store_errc::damaged_refs;  // a ref may only show what is in the ledger

  if (parsed_head->oid) refs->insert_or_assign(std::string(head_file), shown_value{*parsed_head->oid, std::nullopt});
  ledger = std::move(*tips);
  head = std::move(*parsed_head);
  view = {std::move(all), std::make_shared<ref_values>(std::move(*refs))};
  return {};
}

boost::system::result<void> repo_store::impl::adopt(const std::filesystem::path& packs, const tip_list& tips,
                                                    std::uint64_t verified_at) {
  std::lock_guard const alone(writing);
  if (ended) return store_errc::ended;
  if (prunings != verified_at) return store_errc::repacked;
  if (!packs.empty()) {
    if (auto const moved = move_packs(packs, folder / "objects" / "pack"); !moved) return moved;
    ++pack_version;
  }
  auto grown = std::make_shared<oid_set>(*seen().tips);
  auto next = ledger;
  for (auto const& tip : tips)
    if (grown->insert(tip).second) next.push_back(tip);
  if (next.size() != ledger.size()) {
    if (auto const w = write_file_atomically(folder / ledger_file, write_ledger(next)); !w) return w;
    ledger = std::move(next);
  }
  std::lock_guard const lock(mu);
  view.tips = std::move(grown);
  return {};
}

repo_store::impl::value_to_show repo_store::impl::value_for(const protocol::ref_record& record, const store_view& v,
                                                            const git_repository& git) const {
  auto const at = v.refs->find(record.name);
  auto const former = at != v.refs->end() ? std::optional(at->second) : std::nullopt;
  bool const unchanged = former && former->oid == record.oid;
  if (unchanged || !v.tips->contains(record.oid)) return {former, true};
  auto const target = git.peel(record.oid);  // not the listing's word: git trusts what packed-refs says is peeled
  if (!target) return {former, false};
  return {shown_value{record.oid, target->tag ? std::optional(target->oid) : std::nullopt}, true};
}

boost::system::result<void> repo_store::impl::publish(const ref_table& table,
                                                      const std::vector<std::string>& prefixes) {
  std::lock_guard const alone(writing);
  auto const v = seen();
  auto const git = objects();
  if (!git) return store_errc::unreadable;
  auto refs = std::make_shared<ref_values>();
  bool all_known = true;
  for (auto const& record : table.refs()) {
    bool const mirrored =
        std::ranges::any_of(prefixes, [&](std::string_view prefix) { return record.name.starts_with(prefix); });
    if (!mirrored || record.unborn || record.name == head_file || !protocol::is_valid_ref_name(record.name)) continue;
    auto [value, is_newest] = value_for(record, v, *git);
    all_known = all_known && is_newest;
    if (value) refs->emplace(record.name, std::move(*value));
  }
  auto next_head = head;
  if (auto const* h = table.find(head_file); h != nullptr && protocol::is_valid_ref_name(h->symref_target)) {
    next_head = {h->symref_target, std::nullopt};
  } else if (h != nullptr && !h->unborn && v.tips->contains(h->oid)) {
    next_head = {{}, h->oid};
  }
  if (next_head.oid) refs->emplace(head_file, shown_value{*next_head.oid, std::nullopt});

  auto written = write_file_atomically(folder / packed_refs_file, write_packed_refs(*refs));
  if (written && write_head(next_head) != write_head(head)) {
    written = write_file_atomically(folder / head_file, write_head(next_head));
    if (written) head = std::move(next_head);
  }
  if (!written) return written;
  {
    std::lock_guard const lock(mu);
    view.refs = std::move(refs);
  }
  if (!all_known) return store_errc::unreadable;
  if (ledger.size() >= compact_at) compact(*git);
  return {};
}

}  // namespace tankard::cache
