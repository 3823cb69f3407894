#include "allot/remote/watch.h"

#include <algorithm>
#include <utility>

namespace allot::remote {
namespace {

using namespace std::chrono_literals;

// An exchange that is due is interrupted again and again until it ends: the first time may come
// before its connection is there.
constexpr auto kAgain = 20ms;
constexpr auto kAsk = 50ms;
constexpr auto kLongestSleep = 24h;

}  // namespace

Watch::Watch() : thread_([this] { run(); }) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::uint64_t Watch::begin(HttpChannel& channel, double seconds, std::function<bool()> unwanted) {
  const auto length = std::chrono::duration_cast<Time::duration>(
      std::chrono::duration<double>(std::min(seconds, 1e8)));
  const std::lock_guard lock(mutex_);
  const std::uint64_t exchange = ++last_;
  const Time limit = std::chrono::steady_clock::now() + length;
  const bool asks = unwanted != nullptr;
  exchanges_[exchange] = {&channel, limit, std::move(unwanted)};
  if (asks || limit < wake_) changed_.notify_all();
  return exchange;
}

Watch::Ending Watch::end(std::uint64_t exchange) {
  const std::lock_guard lock(mutex_);
  const auto found = exchanges_.find(exchange);
  const Ending ending = found->second.ending;
  exchanges_.erase(found);
  return ending;
}

void Watch::interrupt(std::uint64_t exchange) {
  const std::lock_guard lock(mutex_);
  const auto found = exchanges_.find(exchange);
  if (found == exchanges_.end()) return;
  found->second.ending = Ending::Interrupted;
  changed_.notify_all();
}

Watch::Time Watch::strike(Time now) {
  Time next = now + kLongestSleep;
  for (auto& [number, exchange] : exchanges_) {
    const bool free = exchange.ending == Ending::Free;
    if (free && exchange.limit <= now) exchange.ending = Ending::TimedOut;
    if (free && exchange.unwanted && exchange.unwanted()) exchange.ending = Ending::Interrupted;
    if (exchange.ending != Ending::Free) {
      exchange.channel->interrupt();
      next = std::min(next, now + kAgain);
    } else {
      next = std::min({next, exchange.limit, exchange.unwanted ? now + kAsk : next});
    }
  }
  return next;
}

void Watch::run() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    wake_ = strike(std::chrono::steady_clock::now());
    changed_.wait_until(lock, wake_);
  }
}

}  // namespace allot::remote
