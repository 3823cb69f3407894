// What a step costs under two allocation methods at equal generated rollouts: rows that a method
// drops, and rows without advantage, are not trained.
//
//   bench/method_step [--methods grpo,aero] [--size S] [--prompts 64] [--group 16] [--steps 7]
//                     [--skew 3]
//
// Steps of the methods alternate. Responses are 48 tokens of a random model; whether one is right
// is drawn with the pass rate of its prompt, u^skew for u evenly spread over 0 to 1 (skew 3: mean
// 1/4, many prompts hardly ever solved). Beside the methods runs "all rows": GRPO where every
// other rollout is right, so that it trains on all it generates, as a trainer does that computes
// rows without advantage, too. Prints, by method, rollouts generated and positions trained per
// step, seconds per step and seconds per 1,000 generated rollouts (medians), and how much less the
// latter are than those of the first method and of "all rows".
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "allot/lm/matmul.h"
#include "allot/local/engine.h"
#include "allot/local/learner.h"
#include "allot/local/model_options.h"
#include "allot/loop/step.h"
#include "allot/methods/alloc_options.h"
#include "allot/methods/registry.h"
#include "allot/tasks/prompt_set.h"
#include "allot/text/char_tokenizer.h"
#include "program.h"

namespace allot {
namespace {

using bench::median;

constexpr int kNewTokens = 48;
constexpr const char* kAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz:=> ,.;?+-*/()[]{}<_#@&%";

struct Arguments {
  std::vector<std::string> methods = {"grpo", "aero"};
  ModelSize size = ModelSize::S;
  std::uint32_t prompts = 64;
  int group = 16, steps = 7;
  double skew = 3;
};

PromptSet make_prompts(std::uint32_t count) {
  std::vector<Prompt> prompts;
  for (std::uint32_t i = 0; i < count; ++i) {
    Prompt prompt;
    prompt.id = i;
    prompt.text = concat("sort:", 100000000 + i, "=>");
    prompts.push_back(std::move(prompt));
  }
  return {std::move(prompts), 0};
}

// Right with the prompt's pass rate, by a number that belongs to the rollout.
class DrawnVerifier final : public Verifier {
 public:
  DrawnVerifier(std::uint32_t prompts, double skew) : prompts_(prompts), skew_(skew) {}

  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource&) override {
    std::vector<Score> out;
    for (const Rollout& rollout : rollouts) {
      const double u = (static_cast<double>(rollout.prompt) + 0.5) / prompts_;
      RandomStream random({2, RandomUse::Test, rollout.id, rollout.prompt});
      Score score;
      score.correct = random.uniform() < std::pow(u, skew_);
      score.reward = score.correct ? 1.0f : 0.0f;
      out.push_back(score);
    }
    return out;
  }

 private:
  std::uint32_t prompts_;
  double skew_;
};

// Every other rollout is right.
class AlternatingVerifier final : public Verifier {
 public:
  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource&) override {
    std::vector<Score> out;
    for (const Rollout& rollout : rollouts) {
      Score score;
      score.correct = rollout.id % 2 == 0;
      score.reward = score.correct ? 1.0f : 0.0f;
      out.push_back(score);
    }
    return out;
  }
};

// What each step took.
class Meter final : public Recorder {
 public:
  void step(const StepRecord& record) override {
    rollouts.push_back(static_cast<double>(record.generated.size()));
    positions.push_back(static_cast<double>(record.cost.trained));
    generate.push_back(record.times.generate);
    train.push_back(record.times.train);
    seconds.push_back(record.times.step);
  }
  void event(const Event&) override {}
  void clear() { *this = Meter(); }

  std::vector<double> rollouts, positions, generate, train, seconds;
};

// One method with a model, an engine and a learner of its own.
class Contender {
 public:
  // `verifier` is used until the last step.
  Contender(std::string name, const std::string& method, Verifier& verifier, const Arguments& a)
      : name(std::move(name)),
        tokenizer_(kAlphabet, 64),
        prompts_(make_prompts(a.prompts)),
        verifier_(verifier),
        model_(make_model(model_options(a), tokenizer_.size())),
        engine_(model_, tokenizer_),
        learner_(model_, tokenizer_, prompts_, {}, optim(), objective::LossOptions{}.expanded(),
                 {1.0, true}) {
    alloc_.method = method;
    alloc_.group_size = a.group;
    ControllerOptions options;
    options.method = method;
    options.host.grain = engine_.traits().grain;
    options.host.refill = options.host.hold = options.host.logprob = true;
    options.data_size = a.prompts;
    controller_ = std::make_unique<Controller>(make_method(alloc_, {}), options);
    settings_.prompts_per_step = a.prompts;
    settings_.sampling.max_new = kNewTokens;
    settings_.budget = step_budget(alloc_, a.prompts, kNewTokens, 1000);
  }

  void step() {
    learner_.begin_step(controller_->step());
    StepWorld world{*controller_, prompts_, engine_, verifier_, learner_, meter, store_, clock_};
    run_step(world, settings_);
  }

  const std::string name;
  Meter meter;

  double seconds_per_thousand() const {
    std::vector<double> all;
    for (std::size_t i = 0; i < meter.seconds.size(); ++i)
      all.push_back(1000 * meter.seconds[i] / meter.rollouts[i]);
    return median(all);
  }

 private:
  static ModelOptions model_options(const Arguments& a) {
    ModelOptions options;
    options.size = a.size;
    return options;
  }
  static OptimOptions optim() {
    OptimOptions options;
    options.lr = 1e-5;
    return options;
  }

  const CharTokenizer tokenizer_;
  PromptSet prompts_;
  Verifier& verifier_;
  const lm::Model model_;
  LocalEngine engine_;
  LocalLearner learner_;
  AllocOptions alloc_;
  std::unique_ptr<Controller> controller_;
  StepSettings settings_;
  RolloutStore store_;
  const Clock clock_;
};

void print(const Contender& contender, double first, double all_rows) {
  const Meter& m = contender.meter;
  const double cost = contender.seconds_per_thousand();
  std::printf(
      "%-8s %5.0f rollouts, %6.0f positions trained; generate %.3f s, train %.3f s, step %.3f s; "
      "%.3f s per 1,000 rollouts: %.2f x as fast as the first, %.2f x as all rows\n",
      contender.name.c_str(), median(m.rollouts), median(m.positions), median(m.generate),
      median(m.train), median(m.seconds), cost, first / cost, all_rows / cost);
}

void run(const Arguments& a) {
  lm::configure_matmul();
  DrawnVerifier drawn(a.prompts, a.skew);
  AlternatingVerifier alternating;
  std::vector<std::unique_ptr<Contender>> contenders;
  for (const std::string& method : a.methods)
    contenders.push_back(std::make_unique<Contender>(method, method, drawn, a));
  contenders.push_back(std::make_unique<Contender>("all rows", "grpo", alternating, a));
  for (int step = -1; step < a.steps; ++step) {  // step -1 warms up
    for (const auto& contender : contenders) contender->step();
    if (step < 0)
      for (const auto& contender : contenders) contender->meter.clear();
  }
  for (const auto& contender : contenders)
    print(*contender, contenders.front()->seconds_per_thousand(),
          contenders.back()->seconds_per_thousand());
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  using allot::ModelSize;
  allot::Arguments arguments;
  const std::map<std::string, ModelSize> sizes = {
      {"S", ModelSize::S}, {"M", ModelSize::M}, {"L", ModelSize::L}};
  CLI::App app("A step under several allocation methods, at equal generated rollouts.");
  app.add_option("--methods", arguments.methods, "to compare; the first is the reference")
      ->delimiter(',');
  app.add_option("--size", arguments.size, "of the model")
      ->transform(CLI::CheckedTransformer(sizes));
  app.add_option("--prompts", arguments.prompts, "of a step")->check(CLI::Range(1, 1 << 20));
  app.add_option("--group", arguments.group, "alloc.group_size")->check(CLI::Range(2, 1 << 10));
  app.add_option("--steps", arguments.steps, "timed steps")->check(CLI::Range(1, 1 << 30));
  app.add_option("--skew", arguments.skew, "of the pass rates")->check(CLI::Range(0.0, 100.0));
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(arguments); });
}
