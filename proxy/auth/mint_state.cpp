#include "proxy/auth/mint_state.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tankard::proxy::auth {
namespace {

using namespace std::chrono_literals;
using duration = cache::boot_clock::duration;

constexpr duration longest_life = 365 * 24h, longest_back_off = 60s, between_drops = 10s;

duration back_off(unsigned failures) {
  return std::min<duration>(1s * (1u << std::min(failures - 1, 6u)), longest_back_off);
}

}  // namespace

mint_state::step mint_state::next(cache::boot_point now) {
  step s;
  s.use = held(now);
  bool const wanted = !s.use || now >= due_;
  if (wanted && !running_ && now >= next_run_) {
    s.run = true;
    running_ = true;
  }
  s.wait = !s.use && running_ && failures_ == 0;
  return s;
}

void mint_state::succeeded(identity_ptr made, duration life, cache::boot_point now) {
  running_ = false;
  failures_ = 0;
  next_run_ = cache::unknown_time;
  problem_.clear();
  life = std::min(life, longest_life);
  held_ = std::move(made);
  expires_ = now + life;
  due_ = now + std::max(std::min(life / 5 * 4, life - 60s), life / 2);
  if (std::exchange(outdated_, false)) renew();
}

void mint_state::failed(std::string problem, cache::boot_point now) {
  running_ = false;
  problem_ = std::move(problem);
  next_run_ = now + back_off(++failures_);
  if (std::exchange(outdated_, false)) renew();
}

void mint_state::refused(const identity& who, cache::boot_point now) {
  bool const lately = dropped_ != cache::unknown_time && now - dropped_ < between_drops;
  if (!held_ || lately || !same_headers(*held_, who)) return;
  held_ = nullptr;
  dropped_ = now;
}

void mint_state::renew() noexcept {
  outdated_ = running_;
  due_ = cache::unknown_time;
  next_run_ = cache::unknown_time;
}

bool same_headers(const identity& a, const identity& b) {
  auto const same = [](const auto& x, const auto& y) {
    return x.name_string() == y.name_string() && x.value() == y.value();
  };
  return std::equal(a.headers.begin(), a.headers.end(), b.headers.begin(), b.headers.end(), same);
}

}  // namespace tankard::proxy::auth
