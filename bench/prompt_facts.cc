// What a language model tells of its prompts beyond their outcomes: facts that allocation could
// use.
//
//   bench/prompt_facts CONFIG [--set key=value ..] [--prompts 256] [--rollouts 32]
//
// 1. Prompt noise. With g = sum A s of a group (A = r - mean, s = the score of a rollout) and
//    x = m (n - m) / n, E g = x h and noise x sigma^2. Two halves of a prompt's rollouts make
//    g1 . g2 = x1 x2 |h_i|^2 without noise, two prompts x_i x_j (h_i . h_j). From these
//    prompt_noise = (mean |h_i|^2 - mean h_i . h_j) / sigma^2, the power of what is a prompt's own
//    over the noise of one rollout (docs/methods/evidence.md).
// 2. Beliefs. How much of the pass rate, measured on the other rollouts, is explained by a ridge
//    regression on facts known before any rollout (embedding) or after the first two (how many are
//    right; their log-probability, entropy and length); out of sample, in two folds.
//
// The policy is the configuration's: a warm-started model, or with --set model.path=CHECKPOINT
// --set warm_start.steps=0 a trained one.
#include <atomic>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <eigen3/Eigen/Cholesky>

#include "allot/app/check_data.h"
#include "allot/app/config.h"
#include "allot/app/starting_point.h"
#include "allot/core/error.h"
#include "allot/local/engine.h"
#include "allot/local/learner.h"
#include "allot/local/prompt_embedding.h"
#include "program.h"

namespace allot {
namespace {

struct Arguments {
  std::string config;
  std::vector<std::string> settings;
  std::size_t prompts = 256;
  std::uint32_t rollouts = 32;
};

class Silent final : public Recorder {
 public:
  void step(const StepRecord&) override {}
  void event(const Event&) override {}
};

// One prompt and its rollouts, as positions in the store.
struct Asked {
  PromptId prompt = 0;
  std::vector<RolloutId> ids;
  std::vector<float> embedding;
};

class Facts {
 public:
  Facts(const RunConfig& config, const StartingPoint& start, const Arguments& arguments)
      : task_(make_task(config.data, config.train.seed)),
        tokenizer_(*start.tokenizer),
        model_(start.model.clone()),
        learner_(model_, tokenizer_, *task_.train, config.learner, still(config.optim),
                 config.loss.expanded(), {1.0, true}) {
    LocalEngine engine(model_, tokenizer_, config.engine);
    sample(engine, config, arguments);
    embed(config);
  }

  void print_prompt_noise();
  void print_beliefs() const;

 private:
  static OptimOptions still(OptimOptions optim) {  // gradients are wanted, no updates
    optim.lr = optim.weight_decay = optim.max_grad_norm = 0;
    return optim;
  }
  void sample(LocalEngine& engine, const RunConfig& config, const Arguments& arguments);
  void embed(const RunConfig& config);
  bool right(RolloutId id) const { return store_.get(id).score.correct; }
  double right_share(std::span<const RolloutId> ids) const {
    double sum = 0;
    for (const RolloutId id : ids) sum += right(id);
    return sum / static_cast<double>(ids.size());
  }

  // Rollouts of one prompt that share a mean.
  struct Part {
    PromptId prompt = 0;
    std::span<const RolloutId> ids;
  };
  double evidence(const Part& part) const {
    const double p = right_share(part.ids);
    return static_cast<double>(part.ids.size()) * p * (1 - p);
  }
  double squared_gradient(const std::vector<Part>& parts);

  Task task_;
  const Tokenizer& tokenizer_;
  lm::Model model_;
  LocalLearner learner_;
  RolloutStore store_;
  std::vector<Asked> asked_;
};

void Facts::sample(LocalEngine& engine, const RunConfig& config, const Arguments& arguments) {
  std::vector<Work> work;
  for (const PromptRef& ref : task_.train->candidates(arguments.prompts, Draw::Stream)) {
    Work request;
    request.issued.prompt = ref.id;
    request.issued.first = work.size() * arguments.rollouts;
    request.issued.n = arguments.rollouts;
    request.seed = 77;
    request.prompt = &task_.train->get(ref.id);
    request.sampling = config.sampling.sampling(longest_response(task_));
    work.push_back(request);
    asked_.push_back({ref.id, {}, {}});
  }
  engine.submit(work);
  for (std::vector<Rollout> made; !(made = engine.wait()).empty();) {
    std::vector<Score> scores = task_.verifier->score(made, *task_.train);
    for (std::size_t i = 0; i < made.size(); ++i) {
      asked_[made[i].id / arguments.rollouts].ids.push_back(made[i].id);
      store_.add(std::move(made[i]), std::move(scores[i]), 0);
    }
  }
}

void Facts::embed(const RunConfig& config) {
  std::vector<std::vector<std::int32_t>> prompts;
  for (const Asked& one : asked_)
    prompts.push_back(tokenizer_.encode(task_.train->get(one.prompt).text));
  const auto embeddings = embed_by_model(model_, prompts, config.learner.workers);
  for (std::size_t i = 0; i < asked_.size(); ++i) asked_[i].embedding = embeddings[i];
}

// | sum over all parts of sum A s |^2; parts of one prompt stand next to each other.
double Facts::squared_gradient(const std::vector<Part>& parts) {
  TrainBatch batch;
  batch.norm = Norm::Fixed;
  batch.fixed = batch.length_divisor = 1;
  for (const Part& part : parts) {
    const auto mean = static_cast<float>(right_share(part.ids));
    if (batch.groups.empty() || batch.groups.back().prompt != part.prompt)
      batch.groups.push_back(
          {part.prompt, static_cast<std::uint32_t>(batch.items.size()), 0, 0, mean});
    for (const RolloutId id : part.ids)
      batch.items.push_back({id, (right(id) ? 1.0f : 0.0f) - mean});
    batch.groups.back().count += static_cast<std::uint32_t>(part.ids.size());
    batch.groups.back().pool_n = batch.groups.back().count;
  }
  learner_.update(batch, store_);
  for (const Metric& metric : learner_.metrics())
    if (metric.name == "optim/grad_norm") return metric.value * metric.value;
  return 0;
}

void Facts::print_prompt_noise() {
  double inner = 0, inner_weight = 0;  // g1 . g2 and x1 x2 within prompts
  double noise = 0, noise_weight = 0;  // |g|^2 and x
  double sum_of_squares = 0, square_of_x = 0, sum_x = 0, used = 0;
  std::vector<Part> all;
  std::vector<std::pair<double, double>> halves;  // |g1|^2 + |g2|^2 and x1^2 + x2^2
  for (const Asked& one : asked_) {
    const std::span<const RolloutId> ids(one.ids);
    const Part first{one.prompt, ids.first(ids.size() / 2)};
    const Part second{one.prompt, ids.subspan(ids.size() / 2)};
    const double x1 = evidence(first), x2 = evidence(second);
    if (x1 == 0 || x2 == 0) continue;
    const double g1 = squared_gradient({first}), g2 = squared_gradient({second}),
                 both = squared_gradient({first, second});
    inner += (both - g1 - g2) / 2;
    inner_weight += x1 * x2;
    noise += g1 + g2;
    noise_weight += x1 + x2;
    halves.emplace_back(g1 + g2, x1 * x1 + x2 * x2);
    all.push_back(first);
    sum_of_squares += g1;
    square_of_x += x1 * x1;
    sum_x += x1;
    ++used;
  }
  const double across = squared_gradient(all) - sum_of_squares;  // sum over i != j of x_i x_j h h
  const double own_power = inner / inner_weight;
  const double common = across / (sum_x * sum_x - square_of_x);
  double square_weight = 0;
  for (const auto& [power, weight] : halves) square_weight += weight;
  const double rollout_noise = (noise - own_power * square_weight) / noise_weight;
  std::printf(
      "prompt noise: %.0f prompts with two rewards in both halves; per rollout noise %.4g, common "
      "signal %.4g, power of a prompt's direction %.4g: prompt_noise = %.3f (common / noise "
      "%.4f)\n",
      used, rollout_noise, common, own_power, (own_power - common) / rollout_noise,
      common / rollout_noise);
}

// Share of the variance of `rates` explained by a ridge regression on `x`, out of sample.
double explained(const Eigen::MatrixXd& x, const Eigen::VectorXd& rates, double ridge) {
  const auto n = rates.size();
  Eigen::VectorXd predicted(n);
  for (int fold = 0; fold < 2; ++fold) {
    Eigen::MatrixXd products = ridge * Eigen::MatrixXd::Identity(x.cols(), x.cols());
    products(0, 0) = 1e-9;  // the intercept
    Eigen::VectorXd sums = Eigen::VectorXd::Zero(x.cols());
    for (Eigen::Index i = 0; i < n; ++i) {
      if (i % 2 == fold) continue;
      products += x.row(i).transpose() * x.row(i);
      sums += x.row(i).transpose() * rates(i);
    }
    const Eigen::VectorXd w = products.ldlt().solve(sums);
    for (Eigen::Index i = fold; i < n; i += 2) predicted(i) = x.row(i) * w;
  }
  const double total = (rates.array() - rates.mean()).square().sum();
  return 1 - (rates - predicted).squaredNorm() / total;
}

void Facts::print_beliefs() const {
  constexpr std::size_t kFirst = 2;
  const auto n = static_cast<Eigen::Index>(asked_.size());
  const auto size = static_cast<Eigen::Index>(asked_.front().embedding.size());
  Eigen::VectorXd rates(n);
  Eigen::MatrixXd one = Eigen::MatrixXd::Ones(n, 1), counts(n, 2), text(n, 4), embedding(n, size);
  double binomial = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    const Asked& asked = asked_[static_cast<std::size_t>(i)];
    const std::span<const RolloutId> first = std::span(asked.ids).first(kFirst),
                                     rest = std::span(asked.ids).subspan(kFirst);
    rates(i) = right_share(rest);
    binomial += rates(i) * (1 - rates(i)) / (static_cast<double>(rest.size()) - 1);
    const double half = right_share(first);
    counts(i, 0) = half;
    counts(i, 1) = half == 0.5;
    double logp = 0, entropy = 0, tokens = 0;
    for (const RolloutId id : first) {
      const Outcome outcome = outcome_of(store_.get(id));
      logp += outcome.mean_logprob / kFirst;
      entropy += outcome.mean_entropy / kFirst;
      tokens += outcome.tokens / static_cast<double>(kFirst);
    }
    text(i, 0) = logp;
    text(i, 1) = entropy;
    text(i, 2) = entropy * tokens;
    text(i, 3) = std::log(tokens);
    for (Eigen::Index j = 0; j < size; ++j)
      embedding(i, j) = asked.embedding[static_cast<std::size_t>(j)];
  }
  for (Eigen::Index j = 0; j < text.cols(); ++j) {
    text.col(j).array() -= text.col(j).mean();
    text.col(j) /= std::sqrt(text.col(j).squaredNorm() / static_cast<double>(n));
  }
  const double total = (rates.array() - rates.mean()).square().sum();
  const auto joined = [&](std::initializer_list<const Eigen::MatrixXd*> parts) {
    Eigen::MatrixXd x = one;
    for (const Eigen::MatrixXd* part : parts) {
      Eigen::MatrixXd wider(n, x.cols() + part->cols());
      wider << x, *part;
      x = wider;
    }
    return x;
  };
  const auto show = [&](const char* facts, const Eigen::MatrixXd& x) {
    std::printf("  %-52s %.3f\n", facts, explained(x, rates, 1.0));
  };
  std::printf("pass rates: mean %.3f, sd %.3f; share of their variance explained (at most %.3f):\n",
              rates.mean(), std::sqrt(total / static_cast<double>(n)), 1 - binomial / total);
  show("embedding, before any rollout", joined({&embedding}));
  show("right ones of the first two", joined({&counts}));
  show("right ones, log-probability, entropy, length", joined({&counts, &text}));
  show("right ones, embedding", joined({&counts, &embedding}));
  show("right ones, embedding, log-prob., entropy, length", joined({&counts, &embedding, &text}));
}

void run(const Arguments& arguments) {
  ConfigSources sources{.files = {arguments.config}};
  for (const std::string& text : arguments.settings) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw Error(ErrorKind::Config, "--set", concat(text, " was given; key=value is needed"));
    sources.flags.push_back({text.substr(0, equals), text.substr(equals + 1), "--set"});
  }
  const RunConfig config = load_config(sources);
  Silent silent;
  const std::atomic<bool> stop = false;
  const auto start = starting_point(config, silent, stop);
  Facts facts(config, *start, arguments);
  facts.print_beliefs();
  facts.print_prompt_noise();
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  allot::Arguments arguments;
  CLI::App app("What a language model tells of its prompts beyond outcomes.");
  app.add_option("config", arguments.config, "YAML file of a run")->required();
  app.add_option("--set", arguments.settings, "key=value");
  app.add_option("--prompts", arguments.prompts)->check(CLI::Range(16, 1 << 20));
  app.add_option("--rollouts", arguments.rollouts, "per prompt")->check(CLI::Range(8, 4096));
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(arguments); });
}
