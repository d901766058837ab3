#include "proxy/handlers/push_watch.hpp"

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::handlers {
namespace {

bool is_gzip(std::string_view name) { return net::equal_any_case(name, "gzip") || net::equal_any_case(name, "x-gzip"); }

}  // namespace

push_watch::push_watch(services& s, const repo_ref& repo, const http::request_head& head)
    : s_(s), key_(repo.key), under_way_(s.pushes, repo.key, s.clock) {
  std::string_view const name = head.headers["Content-Encoding"];
  coding_ = name.empty() ? coding::plain : is_gzip(name) ? coding::gzip : coding::unknown;
  if (coding_ == coding::gzip) inflater_.emplace();
}

push_watch::~push_watch() {
  if (!may_have_changed()) return;
  under_way_.changed(report_ ? report_->made() : std::vector<protocol::ref_update>());
  s_.listings.invalidate(key_);
}

/// A refusal changes nothing, and a body that was cut upstream does not take. Where no answer came, or one of somebody
/// in between who lost patience, it is not known.
bool push_watch::may_have_changed() const {
  if (is_probe()) return false;
  if (!status_) return all_sent_;
  return *status_ / 100 == 2 || *status_ / 100 == 5;
}

void push_watch::sends(std::string_view piece) {
  if (commands_.done() || coding_ == coding::unknown) return;
  if (coding_ == coding::plain) return commands_.feed(piece);
  auto const status = inflater_->feed(piece, [this](std::string_view part) {
    commands_.feed(part);
    return !commands_.done();
  });
  if (status == http::gzip_inflater::status::corrupt) coding_ = coding::unknown;
}

void push_watch::answered(unsigned status) {
  status_ = status;
  // Upstream let the push in: whatever was asked before this is old, also what is still under way.
  bool const let_in = status / 100 == 2 && !is_probe();
  if (let_in) s_.listings.invalidate(key_);
}

void push_watch::see(std::string_view bytes) {
  auto const* request = commands_.request();
  if (request == nullptr) return;
  if (!report_) report_.emplace(*request);
  report_->feed(bytes);
}

}  // namespace tankard::proxy::handlers
