#include "allot/local/learner.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/state.h"
#include "allot/lm/forward.h"
#include "allot/local/batch_advantages.h"
#include "allot/local/gradient_probe.h"
#include "allot/local/other_policies.h"
#include "allot/local/shards.h"
#include "allot/local/train_rows.h"
#include "allot/objective/evaluate.h"
#include "allot/objective/normalizer.h"
#include "allot/objective/requirements.h"
#include "allot/objective/step_terms.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMomentsFile = "optimizer.safetensors";
constexpr const char* kLogPartitionFile = "log_partition.safetensors";
constexpr const char* kCurvatureFile = "curvature.bin";
constexpr const char* kCountersFile = "learner.bin";
constexpr const char* kStateName = "local learner";
constexpr std::uint32_t kStateVersion = 2;
constexpr const char* kCurvatureName = "curvature moments";
constexpr std::uint32_t kCurvatureVersion = 2;

struct Counters {
  Version version = 0;
  std::uint64_t optimizer_updates = 0, step = 0;
  LearnerCost cost;
  double entropy_coef = 0;

  template <class V>
  void state(V& v) {
    v(version), v(optimizer_updates), v(step), v(cost.trained), v(cost.scored), v(entropy_coef);
  }
};

// Sums over the updates of one batch.
struct BatchReport {
  objective::LossSums sums;
  objective::TermSums terms;
  double updates = 0, grad_norm = 0, lr = 0;
  std::uint64_t positions = 0, anchor_positions = 0;
  SamplerMismatch mismatch;
  std::vector<Metric> advantages;  // of the estimator

  double entropy() const { return sums.entropy_sum / std::max(1.0, sums.trained); }
};

std::vector<UpdatePlan> plan_updates(const TrainRows& rows, const TrainBatch& batch,
                                     const objective::LossOptions& loss,
                                     const LearnerOptions& options) {
  const objective::Normalizer whole = objective::normalizer_of(loss, batch);
  std::vector<UpdatePlan> one_pass;
  for (const RowRange& range :
       mini_batches(rows, static_cast<std::size_t>(options.minibatch_rows))) {
    const double share = static_cast<double>(range.count) / static_cast<double>(rows.rows.size());
    UpdatePlan plan = plan_update(rows, range, whole.of_share(share), loss);
    if (!plan.computed.empty()) one_pass.push_back(std::move(plan));
  }
  std::vector<UpdatePlan> all;
  for (int pass = 0; pass < options.updates_per_rollout; ++pass)
    all.insert(all.end(), one_pass.begin(), one_pass.end());
  return all;
}

// Rows that any of the updates computes, or whose masks it decides; each once, ascending.
std::vector<std::uint32_t> rows_of(const std::vector<UpdatePlan>& updates,
                                   const objective::LossOptions& loss) {
  const bool counted = objective::needs_whole_step(loss) || objective::requirements(loss).top_k;
  std::set<std::uint32_t> rows;
  for (const UpdatePlan& update : updates) {
    const std::vector<std::uint32_t>& some = counted ? update.counted : update.computed;
    rows.insert(some.begin(), some.end());
  }
  return {rows.begin(), rows.end()};
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
       SamplerFacts sampler, ModelParts parts, LossParts loss_parts)
      : model(model),
        parts(std::move(parts)),
        tokenizer(tokenizer),
        prompts(prompts),
        options(options),
        optim(std::move(optim_options)),
        loss(loss_options.expanded()),
        needs(objective::requirements(loss)),
        sampler(sampler),
        loss_parts(std::move(loss_parts)),
        log_partition(new_log_partition()),
        adamw(trained(), optim),
        entropy(loss) {
    loss.validate();
    check();
    if (objective::keeps_curvature_moments(loss)) curvature.emplace();
    counters.entropy_coef = entropy.value();
    settings = {loss,
                sampler.temperature,
                {options.micro_rollouts, options.shards, options.micro_tokens},
                options.workers,
                options.matmul,
                options.activations};
  }

  void check() const;
  std::optional<LogPartition> new_log_partition() const;
  std::vector<lm::NamedTensor> trained() const;
  // What forward and backward passes run with.
  const lm::Model& computed() const {
    return parts.rounded && !lm::has_fused_kernels(model) ? *parts.rounded : model;
  }
  // Of what is trained of the model, in its type.
  std::vector<at::Tensor> gradients_of_weights(std::vector<at::Tensor> gradients) const;
  void weights_changed();
  OldSource old_source() const { return {sampler.exact_logprobs, counters.version}; }
  void estimate_advantages(TrainRows& rows);
  void ask_other_policies(TrainRows& rows, const std::vector<UpdatePlan>& updates);
  void count_scored(std::uint64_t positions);
  PolicyGradient apply(const TrainRows& rows, const UpdatePlan& update);

  lm::Model model;
  ModelParts parts;
  const Tokenizer& tokenizer;
  const PromptSource& prompts;
  LearnerOptions options;
  OptimOptions optim;
  objective::LossOptions loss;
  objective::Requirements needs;
  SamplerFacts sampler;
  LossParts loss_parts;
  std::optional<LogPartition> log_partition;
  std::optional<objective::CurvatureMoments> curvature;
  PolicyGradientSettings settings;
  AdamW adamw;
  objective::EntropyCoefficient entropy;
  Counters counters;
  BatchReport report;
};

void LocalLearner::Impl::check() const {
  const auto refuse = [](const char* what, const char* hint) {
    throw Error(ErrorKind::Config, "learner", what, hint);
  };
  if (!(sampler.temperature > 0))
    refuse("log-probabilities need a temperature above 0; greedy ones are taken at 1", "");
  if (options.matmul == Matmul::Bf16 && !lm::has_fused_kernels(model))
    refuse("train.matmul is bf16; that needs a model in float on the CPU",
           "train.matmul: f32, or the model's own type as bfloat16");
  if (options.activations == lm::KeptActivations::LayerInputs && !lm::has_fused_kernels(model))
    refuse("train.activations is recompute; that needs a model on the CPU",
           "train.activations: keep, and a smaller train.micro_rollouts");
  if (needs.reference && !loss_parts.reference)
    refuse("loss.kl.beta or loss.surrogate asks for a reference policy, and there is none",
           "a copy of the weights that training begins with");
  const bool in_reward = loss.kl.placement == objective::KlPlacement::InReward && loss.kl.beta > 0;
  if (in_reward && !loss_parts.estimator)
    refuse(
        "loss.kl.placement is in_reward, and the allocation method's advantages are of rewards "
        "without it; adv.* must be estimated here",
        "loss.kl.placement=none or in_loss");
}

std::optional<LogPartition> LocalLearner::Impl::new_log_partition() const {
  if (!needs.log_partition) return std::nullopt;
  return LogPartition(model.config().dim, loss_parts.seed, model.dtype(), model.device());
}

std::vector<lm::NamedTensor> LocalLearner::Impl::trained() const {
  std::vector<lm::NamedTensor> out =
      parts.adapter ? parts.adapter->parameters() : model.parameters();
  if (!log_partition) return out;
  for (lm::NamedTensor& parameter : log_partition->parameters())
    out.push_back(std::move(parameter));
  return out;
}

std::vector<at::Tensor> LocalLearner::Impl::gradients_of_weights(
    std::vector<at::Tensor> gradients) const {
  for (at::Tensor& gradient : gradients) gradient = gradient.to(model.dtype());
  return parts.adapter ? parts.adapter->gradients(gradients) : gradients;
}

void LocalLearner::Impl::weights_changed() {
  if (parts.adapter) parts.adapter->merge_into(model);
  if (parts.rounded) parts.rounded->copy_from(model);
}

void LocalLearner::Impl::count_scored(std::uint64_t positions) {
  report.anchor_positions += positions;
  counters.cost.scored += positions;
}

// By the estimator, where there is one; a KL in the reward is that of the policy as it is now.
void LocalLearner::Impl::estimate_advantages(TrainRows& rows) {
  if (!loss_parts.estimator) return;
  const bool penalizes = loss.kl.placement == objective::KlPlacement::InReward && loss.kl.beta > 0;
  if (penalizes) {
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < rows.rows.size(); ++i)
      if (rows.rows[i].tokens() > 0) all.push_back(i);
    count_scored(set_old(computed(), rows, all, old_source(), settings));
    count_scored(set_reference(*loss_parts.reference, rows, all, settings));
  }
  report.advantages = allot::estimate_advantages(loss, *loss_parts.estimator, rows);
}

// A single update needs no old policy: that at the start of the update phase is the current one.
void LocalLearner::Impl::ask_other_policies(TrainRows& rows,
                                            const std::vector<UpdatePlan>& updates) {
  const std::vector<std::uint32_t> which = rows_of(updates, loss);
  if (which.empty()) return;
  if (needs.old && updates.size() > 1)
    count_scored(set_old(computed(), rows, which, old_source(), settings));
  if (needs.reference) count_scored(set_reference(*loss_parts.reference, rows, which, settings));
  // The mask `curvature` alone reads the current policy's lists.
  const bool lists = loss.has_mask("obrs") || (needs.top_k && loss.has_mask("divergence"));
  if (!lists) return;
  count_scored(loss_parts.sampler ? set_top(computed(), *loss_parts.sampler, rows, which, settings)
                                  : set_top(computed(), rows, which, settings));
}

PolicyGradient LocalLearner::Impl::apply(const TrainRows& rows, const UpdatePlan& update) {
  const UpdateMoment moment{counters.version,
                            loss_parts.seed,
                            counters.step,
                            entropy,
                            log_partition ? &*log_partition : nullptr,
                            curvature ? &*curvature : nullptr};
  PolicyGradient result = policy_gradient(computed(), rows, update, moment, settings);
  result.gradients = gradients_of_weights(std::move(result.gradients));
  for (at::Tensor& gradient : result.log_partition) result.gradients.push_back(gradient);
  counters.cost.trained += result.positions;
  count_scored(result.scored);
  const double norm = clip_gradients(result.gradients, optim.max_grad_norm);
  if (!std::isfinite(result.sums.loss) || !std::isfinite(norm))
    throw Error(ErrorKind::Model, "learner",
                concat("update ", counters.version + 1, " of step ", counters.step, ": loss ",
                       result.sums.loss, ", gradient norm ", norm, " over ", update.computed.size(),
                       " rollouts and ", result.sums.tokens, " tokens, largest log ratio ",
                       result.sums.max_log_ratio, "; finite ones are needed, the weights are kept"),
                "a smaller optim.lr or optim.max_grad_norm");
  const double lr = learning_rate(optim, counters.step);
  adamw.update(result.gradients, lr);
  weights_changed();
  if (curvature) curvature->advance(result.head);
  counters.version += 1;
  counters.optimizer_updates = adamw.updates();

  report.sums.add(result.sums);
  report.terms.add(result.terms);
  report.updates += 1;
  report.grad_norm += norm;
  report.lr = lr;
  report.positions += result.positions;
  report.mismatch.add(result.mismatch);
  return result;
}

LocalLearner::LocalLearner(const lm::Model& model, const Tokenizer& tokenizer,
                           const PromptSource& prompts, LearnerOptions options, OptimOptions optim,
                           objective::LossOptions loss, SamplerFacts sampler, ModelParts parts,
                           LossParts loss_parts)
    : impl_(std::make_unique<Impl>(model, tokenizer, prompts, options, std::move(optim),
                                   std::move(loss), sampler, std::move(parts),
                                   std::move(loss_parts))) {}

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
  s.estimate_advantages(rows);
  const std::vector<UpdatePlan> updates = plan_updates(rows, batch, s.loss, s.options);
  s.ask_other_policies(rows, updates);
  if (!batch.probe.empty()) {
    ProbedGradients probed = probe_gradients(s.computed(), rows, batch.probe, s.counters.version,
                                             s.settings, [&](std::vector<at::Tensor> gradients) {
                                               return s.gradients_of_weights(std::move(gradients));
                                             });
    feedback.probe = std::move(probed.probe);
    s.counters.cost.trained += probed.positions;
  }
  for (const UpdatePlan& update : updates) {
    const PolicyGradient result = s.apply(rows, update);
    for (std::size_t i = 0; i < update.computed.size(); ++i) {
      ItemStat& item = feedback.items[update.computed[i]];
      item.ratio = static_cast<float>(result.items[i].ratio);
      item.clip_fraction = static_cast<float>(result.items[i].clip_fraction);
    }
  }
  feedback.after = s.counters.version;
  feedback.updated = !updates.empty();
  if (s.report.sums.trained > 0) {
    feedback.mean_entropy = static_cast<float>(s.report.entropy());
    s.entropy.after_step(s.report.entropy());
    s.counters.entropy_coef = s.entropy.value();
  }
  s.counters.step += 1;
  return feedback;
}

Version LocalLearner::version() const { return impl_->counters.version; }

LearnerCost LocalLearner::cost() const { return impl_->counters.cost; }

std::vector<Metric> LocalLearner::metrics() const {
  const BatchReport& r = impl_->report;
  if (r.updates == 0) return {};
  const objective::LossOptions& loss = impl_->loss;
  std::vector<Metric> out = objective::loss_metrics(loss, r.sums, r.updates);
  out.insert(out.end(), r.advantages.begin(), r.advantages.end());
  if (loss.entropy.adaptive) out.push_back({"loss/entropy_coef", impl_->entropy.value()});
  out.push_back({"optim/grad_norm", r.grad_norm / r.updates});
  out.push_back({"optim/lr", r.lr});
  for (Metric& metric : r.mismatch.metrics()) out.push_back(std::move(metric));
  // The edge's effective number of tokens would share its name with the share of above.
  for (Metric& metric : r.terms.metrics())
    if (metric.name != "mismatch/ess") out.push_back(std::move(metric));
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
  if (s.log_partition) s.log_partition->save((fs::path(folder) / kLogPartitionFile).string());
  if (s.curvature)
    write_file(fs::path(folder) / kCurvatureFile,
               save_state(kCurvatureName, kCurvatureVersion, *s.curvature));
  write_file(fs::path(folder) / kCountersFile, save_state(kStateName, kStateVersion, s.counters));
}

void LocalLearner::load(const std::string& folder) {
  Impl& s = *impl_;
  Counters counters;
  load_state(kStateName, kStateVersion, read_file(fs::path(folder) / kCountersFile), counters);
  std::optional<objective::CurvatureMoments> curvature;
  if (s.curvature)
    load_state(kCurvatureName, kCurvatureVersion, read_file(fs::path(folder) / kCurvatureFile),
               curvature.emplace());
  AdamW adamw(s.trained(), s.optim);
  adamw.load((fs::path(folder) / kMomentsFile).string(), counters.optimizer_updates);
  if (s.log_partition) s.log_partition->load((fs::path(folder) / kLogPartitionFile).string());
  if (s.parts.adapter) {
    s.parts.adapter->load(folder);
  } else {
    const lm::Model loaded = lm::Model::load(folder, s.model.dtype(), s.model.device());
    check_same_shape(s.model, loaded, folder);
    s.model.copy_from(loaded);
  }
  s.weights_changed();
  s.adamw = std::move(adamw);
  s.curvature = std::move(curvature);
  s.counters = counters;
  s.entropy.restore(counters.entropy_coef);
  s.report = {};
}

}  // namespace allot
