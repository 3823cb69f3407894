#include "allot/local/learner.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/state.h"
#include "allot/lm/forward.h"
#include "allot/local/gradient_probe.h"
#include "allot/local/shards.h"
#include "allot/local/train_rows.h"
#include "allot/objective/normalizer.h"
#include "allot/objective/token_ppo.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMomentsFile = "optimizer.safetensors";
constexpr const char* kCountersFile = "learner.bin";
constexpr const char* kStateName = "local learner";
constexpr std::uint32_t kStateVersion = 1;

struct Counters {
  Version version = 0;
  std::uint64_t optimizer_updates = 0, step = 0;
  LearnerCost cost;

  template <class V>
  void state(V& v) {
    v(version), v(optimizer_updates), v(step), v(cost.trained), v(cost.scored);
  }
};

// One optimizer update: its rows with a gradient and the weight of their tokens.
struct PlannedUpdate {
  std::vector<std::uint32_t> active;  // row numbers, ascending
  std::vector<double> omega;          // of one token, by `active`
};

// Sums over the updates of one batch.
struct BatchReport {
  objective::LossSums sums;
  double entropy_sum = 0, updates = 0, grad_norm = 0, lr = 0;
  std::uint64_t positions = 0, anchor_positions = 0;
  SamplerMismatch mismatch;
};

std::vector<PlannedUpdate> plan_updates(const TrainRows& rows, const TrainBatch& batch,
                                        const objective::LossOptions& loss,
                                        const LearnerOptions& options) {
  const objective::Normalizer whole = objective::normalizer_of(loss, batch);
  std::vector<PlannedUpdate> one_pass;
  for (const RowRange& range :
       mini_batches(rows, static_cast<std::size_t>(options.minibatch_rows))) {
    std::vector<objective::RowSize> sizes;
    for (std::size_t i = range.first; i < range.first + range.count; ++i)
      sizes.push_back({rows.rows[i].group, static_cast<std::uint32_t>(rows.rows[i].tokens())});
    const double share = static_cast<double>(range.count) / static_cast<double>(rows.rows.size());
    const std::vector<double> omega = objective::token_weights(whole.of_share(share), sizes);
    PlannedUpdate update;
    for (std::size_t i = 0; i < range.count; ++i) {
      if (!rows.rows[range.first + i].active()) continue;
      update.active.push_back(static_cast<std::uint32_t>(range.first + i));
      update.omega.push_back(omega[i]);
    }
    if (!update.active.empty()) one_pass.push_back(std::move(update));
  }
  std::vector<PlannedUpdate> all;
  for (int pass = 0; pass < options.updates_per_rollout; ++pass)
    all.insert(all.end(), one_pass.begin(), one_pass.end());
  return all;
}

float mean_reward(const TrainRows& rows) {
  double sum = 0, count = 0;
  for (const TrainRow& row : rows.rows) {
    if (row.stored->score.scoring != Scoring::Scored) continue;
    sum += row.stored->score.reward;
    count += 1;
  }
  return count > 0 ? static_cast<float>(sum / count) : 0;
}

void check_same_shape(const lm::Model& model, const lm::Model& loaded, const std::string& folder) {
  const auto here = model.parameters(), there = loaded.parameters();
  bool same = here.size() == there.size();
  for (std::size_t i = 0; same && i < here.size(); ++i)
    same = here[i].name == there[i].name && here[i].tensor.sizes() == there[i].tensor.sizes();
  if (!same)
    throw Error(ErrorKind::Model, folder,
                "the weights are of another shape of model than the one being trained");
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) throw Error(ErrorKind::Model, path.string(), "the file cannot be read");
  return bytes;
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) throw Error(ErrorKind::Model, path.string(), "the file cannot be written");
}

}  // namespace

struct LocalLearner::Impl {
  Impl(const lm::Model& model, const Tokenizer& tokenizer, const PromptSource& prompts,
       LearnerOptions options, OptimOptions optim_options, objective::LossOptions loss_options,
       SamplerFacts sampler, ModelParts parts)
      : model(model),
        parts(std::move(parts)),
        tokenizer(tokenizer),
        prompts(prompts),
        options(options),
        optim(std::move(optim_options)),
        loss(objective::token_ppo(loss_options)),
        sampler(sampler),
        adamw(trained(), optim) {
    loss.validate();
    if (!(sampler.temperature > 0))
      throw Error(ErrorKind::Config, "learner",
                  "log-probabilities need a temperature above 0; greedy ones are taken at 1");
    if (options.matmul == Matmul::Bf16 && !lm::has_fused_kernels(model))
      throw Error(ErrorKind::Config, "learner",
                  "train.matmul is bf16; that needs a model in float on the CPU",
                  "train.matmul: f32, or the model's own type as bfloat16");
    if (options.activations == lm::KeptActivations::LayerInputs && !lm::has_fused_kernels(model))
      throw Error(ErrorKind::Config, "learner",
                  "train.activations is recompute; that needs a model on the CPU",
                  "train.activations: keep, and a smaller train.micro_rollouts");
    settings = {loss,
                sampler.temperature,
                {options.micro_rollouts, options.shards},
                options.workers,
                options.matmul,
                options.activations};
  }

  void set_step_start_anchors(TrainRows& rows, const std::vector<PlannedUpdate>& updates);
  PolicyGradient apply(const TrainRows& rows, const PlannedUpdate& update);
  std::vector<lm::NamedTensor> trained() const {
    return parts.adapter ? parts.adapter->parameters() : model.parameters();
  }
  // What forward and backward passes run with.
  const lm::Model& computed() const {
    return parts.rounded && !lm::has_fused_kernels(model) ? *parts.rounded : model;
  }
  // Of what is trained, in its type, given those of the weights.
  std::vector<at::Tensor> gradients_of_trained(std::vector<at::Tensor> gradients) const;
  void weights_changed();

  lm::Model model;
  ModelParts parts;
  const Tokenizer& tokenizer;
  const PromptSource& prompts;
  LearnerOptions options;
  OptimOptions optim;
  objective::LossOptions loss;
  SamplerFacts sampler;
  PolicyGradientSettings settings;
  AdamW adamw;
  Counters counters;
  BatchReport report;
};

// Of all rows that still need one. A single update needs none: the policy at the start of the
// update phase is the current one.
void LocalLearner::Impl::set_step_start_anchors(TrainRows& rows,
                                                const std::vector<PlannedUpdate>& updates) {
  if (updates.size() <= 1) return;
  std::vector<std::uint32_t> unknown;
  for (std::uint32_t i = 0; i < rows.rows.size(); ++i) {
    TrainRow& row = rows.rows[i];
    if (!row.active() || row.anchor_kind == Anchor::Behaviour) continue;
    const Rollout& rollout = row.stored->rollout;
    if (sampler.exact_logprobs && rollout.behaviour == counters.version &&
        rollout.logp.size() == rollout.tokens.size())
      row.anchor.assign(rollout.logp.begin(), rollout.logp.end());
    else
      unknown.push_back(i);
  }
  if (unknown.empty()) return;
  LogProbs found = log_probs(computed(), rows, unknown, settings);
  for (std::size_t i = 0; i < unknown.size(); ++i)
    rows.rows[unknown[i]].anchor = std::move(found.values[i]);
  report.anchor_positions += found.positions;
  counters.cost.scored += found.positions;
}

std::vector<at::Tensor> LocalLearner::Impl::gradients_of_trained(
    std::vector<at::Tensor> gradients) const {
  for (at::Tensor& gradient : gradients) gradient = gradient.to(model.dtype());
  return parts.adapter ? parts.adapter->gradients(gradients) : gradients;
}

void LocalLearner::Impl::weights_changed() {
  if (parts.adapter) parts.adapter->merge_into(model);
  if (parts.rounded) parts.rounded->copy_from(model);
}

PolicyGradient LocalLearner::Impl::apply(const TrainRows& rows, const PlannedUpdate& update) {
  PolicyGradient result =
      policy_gradient(computed(), rows, update.active, update.omega, counters.version, settings);
  result.gradients = gradients_of_trained(std::move(result.gradients));
  counters.cost.trained += result.positions;
  const double norm = clip_gradients(result.gradients, optim.max_grad_norm);
  if (!std::isfinite(result.sums.loss) || !std::isfinite(norm))
    throw Error(ErrorKind::Model, "learner",
                concat("update ", counters.version + 1, " of step ", counters.step, ": loss ",
                       result.sums.loss, ", gradient norm ", norm, " over ", update.active.size(),
                       " rollouts and ", result.sums.tokens, " tokens, largest log ratio ",
                       result.sums.max_log_ratio, "; finite ones are needed, the weights are kept"),
                "a smaller optim.lr or optim.max_grad_norm");
  const double lr = learning_rate(optim, counters.step);
  adamw.update(result.gradients, lr);
  weights_changed();
  counters.version += 1;
  counters.optimizer_updates = adamw.updates();

  report.sums.add(result.sums);
  report.entropy_sum += result.entropy_sum;
  report.updates += 1;
  report.grad_norm += norm;
  report.lr = lr;
  report.positions += result.positions;
  report.mismatch.add(result.mismatch);
  return result;
}

LocalLearner::LocalLearner(const lm::Model& model, const Tokenizer& tokenizer,
                           const PromptSource& prompts, LearnerOptions options, OptimOptions optim,
                           objective::LossOptions loss, SamplerFacts sampler, ModelParts parts)
    : impl_(std::make_unique<Impl>(model, tokenizer, prompts, options, std::move(optim),
                                   std::move(loss), sampler, std::move(parts))) {}

LocalLearner::~LocalLearner() = default;

void LocalLearner::begin_step(std::uint64_t step) { impl_->counters.step = step; }

Feedback LocalLearner::update(const TrainBatch& batch, const RolloutStore& store) {
  use_one_thread();
  Impl& s = *impl_;
  s.report = {};
  TrainRows rows = train_rows(batch, store, s.prompts, s.tokenizer, s.model.config().context);
  Feedback feedback;
  feedback.before = feedback.after = s.counters.version;
  feedback.mean_reward = mean_reward(rows);
  for (const TrainRow& row : rows.rows) feedback.items.push_back({row.stored->rollout.id, 1, 0});
  const std::vector<PlannedUpdate> updates = plan_updates(rows, batch, s.loss, s.options);
  s.set_step_start_anchors(rows, updates);
  if (!batch.probe.empty()) {
    ProbedGradients probed = probe_gradients(s.computed(), rows, batch.probe, s.counters.version,
                                             s.settings, [&](std::vector<at::Tensor> gradients) {
                                               return s.gradients_of_trained(std::move(gradients));
                                             });
    feedback.probe = std::move(probed.probe);
    s.counters.cost.trained += probed.positions;
  }
  for (const PlannedUpdate& update : updates) {
    const PolicyGradient result = s.apply(rows, update);
    for (std::size_t i = 0; i < update.active.size(); ++i) {
      ItemStat& item = feedback.items[update.active[i]];
      item.ratio = static_cast<float>(result.items[i].ratio);
      item.clip_fraction = static_cast<float>(result.items[i].clip_fraction);
    }
  }
  feedback.after = s.counters.version;
  feedback.updated = !updates.empty();
  if (s.report.sums.tokens > 0)
    feedback.mean_entropy = static_cast<float>(s.report.entropy_sum / s.report.sums.tokens);
  s.counters.step += 1;
  return feedback;
}

Version LocalLearner::version() const { return impl_->counters.version; }

LearnerCost LocalLearner::cost() const { return impl_->counters.cost; }

std::vector<Metric> LocalLearner::metrics() const {
  const BatchReport& r = impl_->report;
  if (r.updates == 0) return {};
  std::vector<Metric> out = objective::metrics_of(r.sums, r.updates);
  out.push_back({"policy/entropy", r.entropy_sum / std::max(1.0, r.sums.tokens)});
  out.push_back({"optim/grad_norm", r.grad_norm / r.updates});
  out.push_back({"optim/lr", r.lr});
  for (Metric& metric : r.mismatch.metrics()) out.push_back(std::move(metric));
  out.push_back({"train/tokens", r.sums.tokens});
  out.push_back({"train/positions", static_cast<double>(r.positions)});
  if (r.anchor_positions > 0)
    out.push_back({"train/anchor_positions", static_cast<double>(r.anchor_positions)});
  return out;
}

void LocalLearner::save(const std::string& folder) const {
  const Impl& s = *impl_;
  if (s.parts.adapter)
    s.parts.adapter->save(folder);
  else
    s.model.save(folder);
  s.adamw.save((fs::path(folder) / kMomentsFile).string());
  write_file(fs::path(folder) / kCountersFile, save_state(kStateName, kStateVersion, s.counters));
}

void LocalLearner::load(const std::string& folder) {
  Impl& s = *impl_;
  Counters counters;
  load_state(kStateName, kStateVersion, read_file(fs::path(folder) / kCountersFile), counters);
  AdamW adamw(s.trained(), s.optim);
  adamw.load((fs::path(folder) / kMomentsFile).string(), counters.optimizer_updates);
  if (s.parts.adapter) {
    s.parts.adapter->load(folder);
  } else {
    const lm::Model loaded = lm::Model::load(folder, s.model.dtype(), s.model.device());
    check_same_shape(s.model, loaded, folder);
    s.model.copy_from(loaded);
  }
  s.weights_changed();
  s.adamw = std::move(adamw);
  s.counters = counters;
  s.report = {};
}

}  // namespace allot
