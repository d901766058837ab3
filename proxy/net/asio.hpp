#pragma once
// The proxy's coroutines use the same few names of Asio as the cache's.

#include "cache/io/asio.hpp"
