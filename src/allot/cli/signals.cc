#include "allot/cli/signals.h"

#include <csignal>
#include <cstring>

#include <unistd.h>

namespace allot {
namespace {

std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "the handler may only touch lock-free flags");

void say(const char* text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

extern "C" void on_signal(int signal) {
  if (stop.exchange(true)) ::_exit(128 + signal);
  say("\nstopping after the running phase; once more exits at once\n");
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  static const bool installed = [] {
    struct sigaction action = {};
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    return true;
  }();
  (void)installed;
  return stop;
}

}  // namespace allot
