#pragma once
// Owning OpenSSL's objects, and reading its names and errors.

#include <openssl/types.h>

#include <chrono>
#include <memory>
#include <string>

namespace tankard::proxy::net {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
/// owned<X509, X509_free>
template <class T, auto Free>
using owned = std::unique_ptr<T, freed_by<Free>>;

/// "CN=ci,O=Example" (RFC 2253).
std::string one_line(const X509_NAME* name);

/// The epoch where it is none.
std::chrono::system_clock::time_point time_of(const ASN1_TIME* t);

/// The reason of the oldest error of this thread; no error is left after it.
std::string openssl_cause();

}  // namespace tankard::proxy::net
