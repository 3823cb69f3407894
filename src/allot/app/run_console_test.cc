// What a person sees, on a terminal and elsewhere.
#include "allot/app/run_console.h"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace allot {
namespace {

class FakeTerminal : public Terminal {
 public:
  explicit FakeTerminal(bool interactive) : interactive_(interactive) {}
  bool is_interactive() const override { return interactive_; }
  void line(const std::string& text) override { lines.push_back(text); }
  void warning(const std::string& text) override { lines.push_back(text); }
  void bar(const std::string& text) override { bars.push_back(text); }

  std::vector<std::string> lines, bars;

 private:
  bool interactive_;
};

// One step with the metrics given.
void record(RunConsole& console, std::uint64_t step, const std::vector<Metric>& metrics) {
  const TrainBatch batch;
  const Feedback feedback;
  const RolloutStore store;
  class NoPrompts : public PromptSource {
   public:
    std::span<const PromptRef> candidates(std::size_t, Draw) override { return {}; }
    void begin_step(std::uint64_t) override {}
    const Prompt& get(PromptId) const override { return none_; }
    std::size_t size() const override { return 0; }
    std::string save() const override { return {}; }
    void load(std::string_view) override {}
    std::uint64_t hash() const override { return 0; }

   private:
    Prompt none_;
  } const prompts;
  console.step({step, {}, {}, batch, feedback, store, prompts, metrics, {}, {0, 77, 0, 0}});
}

TEST(RunConsole, WithoutATerminalSaysOneLinePerStepAndDrawsNoBar) {
  FakeTerminal terminal(false);
  RunConsole console(terminal);
  console.begin_run("name", 3, 10);
  for (std::uint64_t step = 0; step < 3; ++step)
    record(console, step, {{"reward/first_round", 0.25}, {"tokens/trained", 41}});
  console.progress({"generate", 1, 2, 100});
  EXPECT_TRUE(terminal.bars.empty());
  ASSERT_EQ(terminal.lines.size(), 4u);
  EXPECT_NE(terminal.lines[2].find("step    2/3  reward 0.250"), std::string::npos);
  EXPECT_NE(terminal.lines[2].find("tokens 77 (trained 41)"), std::string::npos);
  EXPECT_NE(terminal.lines[2].find(" left"), std::string::npos);
  for (const std::string& line : terminal.lines)
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
}

TEST(RunConsole, OnATerminalSaysALineEverySoOften) {
  FakeTerminal terminal(true);
  RunConsole console(terminal);
  console.begin_run("name", 25, 10);
  for (std::uint64_t step = 0; step < 25; ++step) record(console, step, {});
  EXPECT_EQ(terminal.lines.size(), 4u);  // name, 10, 20, and the last
}

TEST(RunConsole, ABarTellsSpeedAndTimeLeft) {
  FakeTerminal terminal(true);
  RunConsole console(terminal);
  console.begin_run("name", 3, 10);
  console.progress({"generate", 0, 8, 0});
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  console.progress({"generate", 4, 8, 1000});
  ASSERT_FALSE(terminal.bars.empty());
  const std::string& bar = terminal.bars.back();
  EXPECT_NE(bar.find("generate   [############            ]  50 %  4/8"), std::string::npos) << bar;
  EXPECT_NE(bar.find(" tokens/s  "), std::string::npos) << bar;
  EXPECT_NE(bar.find(" left"), std::string::npos) << bar;
}

TEST(RunConsole, ExplainsALossNearZeroOnce) {
  FakeTerminal terminal(false);
  RunConsole console(terminal);
  console.begin_run("name", 3, 10);
  for (std::uint64_t step = 0; step < 3; ++step)
    record(console, step, {{"loss/total", 1e-7}, {"optim/grad_norm", 0.5}});
  int explained = 0;
  for (const std::string& line : terminal.lines)
    explained += line.find("a loss near 0 is normal") != std::string::npos;
  EXPECT_EQ(explained, 1);
  EXPECT_NE(terminal.lines[1].find("loss 0.0000  |grad| 0.500"), std::string::npos);
}

}  // namespace
}  // namespace allot
