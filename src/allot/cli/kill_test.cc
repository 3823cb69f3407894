// The program, ended by SIGKILL at random moments, also while it saves: whatever is left, the same
// command goes on, and ends with the same weights, decisions and metrics as a run that nobody
// disturbed. A few kills; ALLOT_KILLS=50 in the environment makes as many:
//
//   ALLOT_KILLS=50 build/allot_cli_test --gtest_filter='Kill.*'
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>

#include "allot/cli/testing/program.h"
#include "allot/core/random.h"
#include "allot/store/checkpoint.h"
#include "allot/store/metrics_log.h"
#include "allot/store/tensorboard_log.h"
#include "allot/store/testing/table_dump.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSteps = 8;
constexpr int kDefaultKills = 4;

bool is_time(const std::string& name) {
  for (const char* start :
       {"time/", "speed/", "verifier/p50_us", "verifier/p99_us", "step_time", "timing_s/", "perf/"})
    if (name.starts_with(start)) return true;
  return false;
}

// Everything that must be the same, by name.
using Trace = std::map<std::string, std::string>;

class Kill : public testing::Program {
 protected:
  std::vector<std::string> arguments(const std::string& name) const {
    std::vector<std::string> all = {"train", "learning.yaml", "--quiet", "--name", name};
    for (const char* setting : {"log.to=tensorboard", "log.aliases=[trl, verl]",
                                "checkpoint.every=1", "checkpoint.keep=2"})
      all.insert(all.end(), {"--set", setting});
    all.insert(all.end(), {"--set", concat("train.max_steps=", kSteps)});
    return all;
  }

  std::string scalars_text(const std::vector<Metric>& metrics) const {
    std::string text;
    for (const Metric& metric : metrics)
      if (!is_time(metric.name))
        text += concat(metric.name, "=", std::bit_cast<std::uint64_t>(metric.value), " ");
    return text + "\n";
  }

  Trace trace(const fs::path& run) const {
    Trace trace;
    const fs::path last = run / concat("checkpoint-", kSteps);
    for (const auto& entry : fs::directory_iterator(last)) {
      const std::string name = entry.path().filename().string();
      if (name != "COMPLETE" && name != "trainer_state.json")  // they hold seconds
        trace["file " + name] = read_file(entry.path());
    }
    for (const char* table : {"decisions", "groups", "rollouts", "prompts"})
      trace[concat("table ", table)] = testing::table_dump(run, table);
    std::string& lines = trace["metrics.jsonl"];
    for (const MetricsLine& line : read_metrics_log(run / "metrics.jsonl"))
      lines += concat(line.kind == MetricsLine::Kind::Step ? "step " : "evaluation ", line.step,
                      " ", scalars_text(line.metrics));
    const std::string events = read_file(run / "tensorboard" / "events.out.tfevents.0.allot");
    for (const TensorboardEvent& event : parse_tensorboard_events(events))
      trace["tensorboard"] += concat(event.step, " ", scalars_text(event.scalars));
    return trace;
  }

  void expect_same(const Trace& found, const Trace& whole, int kills) const {
    ASSERT_EQ(found.size(), whole.size());
    for (const auto& [what, content] : whole)
      EXPECT_TRUE(found.contains(what) && found.at(what) == content)
          << what << " differs after " << kills << " kills";
  }

  // No folder that a kill left counts as a checkpoint unless every byte of it is there.
  void expect_sound_checkpoints(const fs::path& run) const {
    if (!fs::exists(run)) return;
    for (const CheckpointFolder& checkpoint : list_checkpoints(run).complete)
      EXPECT_NO_THROW(open_checkpoint(checkpoint.path)) << checkpoint.path;
  }

  static bool is_saving(const fs::path& run) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(run, ignored))
      if (entry.path().extension() == ".partial") return true;
    return false;
  }

  // Waits for the moment; false: the run ended before it.
  bool wait_and_kill(pid_t child, const fs::path& run, double delay, bool while_saving) const {
    using Clock = std::chrono::steady_clock;
    const auto begun = Clock::now();
    const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - begun).count(); };
    int status = 0;
    while (passed() < delay || (while_saving && !is_saving(run))) {
      if (::waitpid(child, &status, WNOHANG) == child) {
        EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << read("log.txt");
        return false;
      }
      if (passed() < delay) ::usleep(500);
    }
    if (while_saving) ::usleep(static_cast<useconds_t>(1e6 * std::fmod(delay, 2e-3)));
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return true;
  }

  // Kills runs of `method` until there were `count` kills, and lets the last run end.
  void kill_runs(const std::string& method, int count, std::uint64_t seed) {
    learning("alloc.method: " + method + "\n");
    const auto begun = std::chrono::steady_clock::now();
    const std::string whole_name = method + "-whole", name = method + "-killed";
    const auto finish = [&](const std::string& run_name) {
      const pid_t child = start(arguments(run_name));
      int status = 0;
      ::waitpid(child, &status, 0);
      ASSERT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0) << read("log.txt");
    };
    finish(whole_name);
    const double duration =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    const Trace whole = trace(folder_ / "runs" / whole_name);
    ASSERT_NE(whole.at("table decisions").find("|train|"), std::string::npos);
    const fs::path run = folder_ / "runs" / name;
    RandomStream random({seed, RandomUse::Test});
    int kills = 0;
    while (kills < count) {
      const pid_t child = start(arguments(name));
      const double delay = random.uniform() * duration;
      if (wait_and_kill(child, run, kills % 2 == 0 ? delay : delay / 4, kills % 2 == 1)) {
        ++kills;
        expect_sound_checkpoints(run);
        continue;
      }
      expect_same(trace(run), whole, kills);
      fs::remove_all(run);  // the next kills are of a new run
    }
    finish(name);
    expect_same(trace(run), whole, kills);
    fs::remove_all(run);
  }
};

int kills_wanted() {
  const char* text = std::getenv("ALLOT_KILLS");
  return text ? std::max(1, std::atoi(text)) : kDefaultKills;
}

TEST_F(Kill, ARunGoesOnAsIfNothingHadHappened) {
  const std::vector<std::string> methods = {"aero", "ar3po", "dapo", "grpo"};
  // The short form kills runs of one method, the long one of all.
  const int kills = kills_wanted();
  const std::size_t used = kills > kDefaultKills ? methods.size() : 1;
  for (std::size_t i = 0; i < used; ++i) {
    const int share = (kills * static_cast<int>(i + 1)) / static_cast<int>(used) -
                      (kills * static_cast<int>(i)) / static_cast<int>(used);
    kill_runs(methods[i], share, i + 1);
  }
}

}  // namespace
}  // namespace allot
