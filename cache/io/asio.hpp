#pragma once
// The few names of Asio that every coroutine of the proxy uses.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace tankard {

namespace asio = boost::asio;
using boost::system::error_code;

template <class T>
using awaitable = boost::asio::awaitable<T>;

/// Completes with a tuple that starts with the error_code; never throws for I/O.
inline constexpr auto use_nothrow = asio::as_tuple(asio::use_awaitable);

}  // namespace tankard
