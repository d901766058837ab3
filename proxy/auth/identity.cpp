#include "proxy/auth/identity.hpp"

namespace tankard::proxy::auth {

identity_ptr nobody() {
  static const identity_ptr one = std::make_shared<const identity>();
  return one;
}

}  // namespace tankard::proxy::auth
