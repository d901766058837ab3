#include "proxy/auth/make_gate.hpp"

#include "proxy/auth/service_gate.hpp"
#include "proxy/http/headers.hpp"

namespace tankard::proxy::auth {
namespace {

class anonymous_gate final : public gate {
 public:
  awaitable<admittance> admit(const http::request_head&, std::string_view) override {
    co_return admittance{.who = nobody(), .refused = std::nullopt, .unusable = std::nullopt};
  }
  void refused_by_upstream(const identity&) override {}
};

class passthrough_gate final : public gate {
 public:
  explicit passthrough_gate(const cache::secret_key& key) : key_(key) {}

  awaitable<admittance> admit(const http::request_head& request, std::string_view) override {
    admittance out;
    out.who = identity_of(request.headers);
    co_return out;
  }
  void refused_by_upstream(const identity&) override {}  // the client's own: upstream's answer is the client's

 private:
  identity_ptr identity_of(const http::fields& headers) const {
    using namespace std::string_literals;
    if (!http::bears_credential(headers)) return nobody();
    identity who;
    who.principal = cache::keyed_digest_hex(key_, "client\0"s + http::credential_text(headers));
    who.headers = http::credential_headers(headers);
    return std::make_shared<const identity>(std::move(who));
  }

  const cache::secret_key& key_;
};

}  // namespace

boost::system::result<std::unique_ptr<gate>, std::string> make_gate(const config::upstream& u, std::size_t index,
                                                                    const gate_parts& with) {
  switch (u.mode) {
    case config::auth_mode::anonymous:
      return std::unique_ptr<gate>(std::make_unique<anonymous_gate>());
    case config::auth_mode::service:
      return make_service_gate(u, index, with);
    case config::auth_mode::passthrough:
      break;
  }
  return std::unique_ptr<gate>(std::make_unique<passthrough_gate>(with.key));
}

}  // namespace tankard::proxy::auth
