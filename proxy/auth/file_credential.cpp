// A secret in a file: read at start, and again when the file changes.

#include "proxy/auth/secret.hpp"
#include "proxy/auth/service_credential.hpp"
#include "proxy/auth/watched_file.hpp"

namespace tankard::proxy::auth {
namespace {

constexpr mode_t not_for_others = 007;

watched_file<secret>::listener logging(const credential_of& of) {
  return [&logs = of.with.logs, upstream = of.upstream, id = of.settings.id](const std::string& problem) {
    if (problem.empty())
      logs.log_event(log::level::info, "secret-file-read", {{"upstream", upstream}, {"credential", id}});
    else
      logs.log_event(log::level::error, "secret-file-unusable",
                     {{"upstream", upstream}, {"credential", id}, {"cause", problem}});
  };
}

class file_credential final : public service_credential {
 public:
  explicit file_credential(credential_of of)
      : of_(std::move(of)),
        file_(std::make_shared<watched_file<secret>>(
            file_guard{.file = of_.settings.secret_file, .forbidden = not_for_others}, &parse_secret, of_.with.clock,
            logging(of_))) {}

  boost::system::result<void, std::string> load() {
    if (auto const read = file_->load(); !read) return of_.sentence("cannot be had: " + read.error());
    auto const shown = header();
    if (!shown) return of_.sentence(shown.error());
    return {};
  }

  awaitable<obtained> obtain(std::string) override {
    co_await refresh(file_, of_.with.pool);
    auto shown = header();
    if (!shown) co_return of_.sentence(shown.error());
    co_return std::make_shared<const identity>(identity{of_.principal, std::move(*shown), true});
  }
  void refused(const identity&) override {}  // whoever changes the file is heard within a second anyway
  void reload() noexcept override { file_->reload(); }

 private:
  /// Clients are not told where the file is: the log is.
  boost::system::result<http::fields, std::string> header() const {
    auto const now = file_->value();
    if (!now) return std::string("cannot be read just now");
    return header_of(of_.settings, of_.settings.user, now->text);
  }

  const credential_of of_;
  const std::shared_ptr<watched_file<secret>> file_;
};

}  // namespace

boost::system::result<std::unique_ptr<service_credential>, std::string> make_file_credential(credential_of of) {
  auto made = std::make_unique<file_credential>(std::move(of));
  if (auto const loaded = made->load(); !loaded) return loaded.error();
  return std::unique_ptr<service_credential>(std::move(made));
}

}  // namespace tankard::proxy::auth
