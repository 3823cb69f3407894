#include "allot/app/run_world.h"

#include <algorithm>
#include <limits>

#include "allot/app/check_data.h"
#include "allot/app/objective_setup.h"
#include "allot/app/reward_functions.h"
#include "allot/app/rollout_engine.h"
#include "allot/core/error.h"
#include "allot/local/prompt_embedding.h"
#include "allot/tasks/text_embedding.h"

namespace allot {
namespace {

constexpr const char* kCursorFile = "cursor.bin";
constexpr const char* kControllerFile = "controller.bin";
constexpr const char* kHeldFile = "held.bin";
constexpr const char* kSamplerFolder = "sampler";

// Weights of their own for the sampler, if it has any.
std::optional<lm::Model> own_sampler(const RunConfig& config, const StartingPoint& start,
                                     const lm::Model& trained) {
  if (start.sampler) return start.sampler;
  if (config.sampler.refresh_every > 1) return trained.clone();
  return std::nullopt;
}

// Rollouts of a policy of its own count as of the version that is trained; how far they are from
// it is the edge of the loss between old and rollout.
SamplerFacts sampler_facts(const RunConfig& config, const RolloutEngine& engine) {
  const bool own =
      config.sampler.model != SamplerModel::Trained || config.sampler.refresh_every > 1;
  SamplerFacts facts;
  facts.temperature = config.sampling.temperature > 0 ? config.sampling.temperature : 1;
  facts.exact_logprobs = engine.traits().exact_logprobs && !truncates(config.sampling) && !own;
  return facts;
}

HostTraits host_traits(const RolloutEngine& engine) {
  HostTraits host;
  host.grain = engine.traits().grain;
  host.refill = host.hold = host.logprob = host.answer_class = true;
  host.embedding = true;
  host.cancel = engine.traits().cancel;
  host.entropy = engine.traits().entropy;
  return host;
}

Controller make_controller(const RunConfig& config, const RolloutEngine& engine,
                           std::size_t prompts) {
  ControllerOptions options;
  options.method = config.alloc.method;
  options.seed = config.train.seed;
  options.host = host_traits(engine);
  options.reward_resolution = config.adv.resolution;
  options.data_size = prompts;
  return {make_method(config.alloc, advantages_of_method(config)), options};
}

// `count` ids at equal distances (0 = all): a task lists its prompts by difficulty.
std::vector<PromptId> evenly_chosen(const std::vector<PromptId>& ids, std::size_t count) {
  if (count == 0 || count >= ids.size()) return ids;
  std::vector<PromptId> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(ids[i * ids.size() / count]);
  return chosen;
}

ModelParts parts_of(const ModelOptions& options, const lm::Model& model) {
  ModelParts parts;
  parts.adapter = make_adapter(options, model);
  if (options.dtype == WeightType::Bf16) parts.rounded = model.converted(at::kBFloat16);
  return parts;
}

OptimOptions scheduled(OptimOptions optim, const TrainOptions& train) {
  if (optim.schedule_steps == 0) optim.schedule_steps = static_cast<std::uint64_t>(train.max_steps);
  return optim;
}

}  // namespace

RunWorld::RunWorld(const RunConfig& config, const StartingPoint& start,
                   const std::atomic<bool>& stop)
    : config_(config),
      stop_(stop),
      tokenizer_(start.tokenizer),
      task_(prepare_task(make_task(config.data, config.train.seed), config, *tokenizer_,
                         start.model.config().context)),
      held_out_(held_out_sets(config, task_, *tokenizer_, start.model.config().context)),
      model_(start.model),
      parts_(parts_of(config.model, model_)),
      sampler_model_(own_sampler(config, start, trained_sampler())),
      sampler_(make_rollout_engine(config, sampler_model_ ? *sampler_model_ : trained_sampler(),
                                   *tokenizer_, stop, parts_.adapter)),
      engine_(*sampler_, clock_, config.health.stall_s),
      evaluator_(sampler_model_ ? make_rollout_engine(config, trained_sampler(), *tokenizer_, stop)
                                : nullptr),
      verifier_(make_reward_verifier(config.reward, config.data, std::move(task_.verifier),
                                     response_limit(config, task_))),
      learner_(model_, *tokenizer_, *task_.train, config.learner,
               scheduled(config.optim, config.train), config.loss.expanded(),
               sampler_facts(config, engine_), parts_, loss_parts(config, model_, sampler_model_)),
      controller_(make_controller(config, engine_, task_.train->size())) {
  check_step_size(config, task_);
  check_objective_of_method(config, controller_.needs());
  if (controller_.needs().embedding) embed_prompts();
}

// By the model as it is before training, also in a run that is continued.
void RunWorld::embed_prompts() {
  if (config_.train.embedding == PromptEmbedding::Text) return embed_by_text(*task_.train);
  std::vector<std::vector<std::int32_t>> prompts;
  for (const PromptId id : task_.train->ids())
    prompts.push_back(tokenizer_->encode(task_.train->get(id).text));
  task_.train->embed(embed_by_model(model_, prompts, config_.learner.workers));
}

StepSettings RunWorld::step_settings() const {
  StepSettings settings;
  settings.seed = config_.train.seed;
  settings.prompts_per_step = static_cast<std::uint32_t>(config_.train.prompts_per_step);
  settings.sampling = config_.sampling.sampling(longest_response(task_));
  settings.budget = step_budget(config_.alloc, settings.prompts_per_step, settings.sampling.max_new,
                                static_cast<std::uint64_t>(config_.train.max_steps));
  settings.stop = &stop_;
  return settings;
}

// A stale sampler takes the trained weights over at every refresh_every-th step.
void RunWorld::refresh_sampler() {
  const auto every = static_cast<std::uint64_t>(config_.sampler.refresh_every);
  if (every <= 1 || controller_.step() % every != 0) return;
  sampler_model_->copy_from(model_);
  sampler_->refresh(learner_.version());
}

StepResult RunWorld::step(Recorder& recorder) {
  refresh_sampler();
  learner_.begin_step(controller_.step());
  const std::uint64_t step = controller_.step();
  engine_.listen(recorder, step);
  StepWorld world{controller_, *task_.train, engine_, *verifier_,
                  learner_,    recorder,     store_,  clock_};
  const StepResult result = run_step(world, step_settings());
  const std::string trouble = take_trouble(*sampler_);
  if (!trouble.empty()) recorder.event({Severity::Warning, "server", trouble, step});
  return result;
}

std::size_t RunWorld::prompt_room() const {
  const auto context = static_cast<std::size_t>(model_.config().context);
  return context - std::min<std::size_t>(context, step_settings().sampling.max_new);
}

std::vector<std::string> RunWorld::next_prompts(std::size_t count) {
  const std::string cursor = task_.train->save();
  task_.train->begin_step(controller_.step());
  const auto candidates =
      first_candidates(*task_.train, controller_.needs(),
                       static_cast<std::uint32_t>(config_.train.prompts_per_step));
  std::vector<std::string> keys;
  for (const PromptRef& ref : candidates.first(std::min(count, candidates.size())))
    keys.push_back(task_.train->get(ref.id).key);
  task_.train->load(cursor);
  return keys;
}

Plan RunWorld::open_step() {
  const StepSettings settings = step_settings();
  task_.train->begin_step(controller_.step());
  return controller_.plan(
      first_candidates(*task_.train, controller_.needs(), settings.prompts_per_step),
      settings.budget, learner_.version());
}

void RunWorld::evaluate_set(const std::string& name, const PromptSet& prompts, Verifier& verifier,
                            Verifier* flexible, Recorder& recorder, const SampleSink& sink,
                            std::vector<NamedEvaluation>& evaluations) {
  EvalSettings settings;
  settings.seed = 0;  // common random numbers: every run and every checkpoint draws alike
  settings.group_size = static_cast<std::uint32_t>(config_.eval.group_size);
  settings.k = config_.eval.k;
  settings.sampling = config_.sampling.sampling(longest_response(task_));
  settings.sampling.temperature = static_cast<float>(config_.eval.temperature);
  settings.stop = &stop_;
  if (sink)
    settings.each = [&](const Rollout& rollout, std::span<const Score> scores) {
      sink(name, prompts.get(rollout.prompt), rollout, scores);
    };
  std::vector<Verifier*> verifiers = {&verifier};
  if (flexible != nullptr) verifiers.push_back(flexible);
  const std::vector<PromptId> ids =
      evenly_chosen(prompts.ids(), static_cast<std::size_t>(config_.eval.prompts));
  std::vector<EvalResult> results = allot::evaluate(evaluator_ ? *evaluator_ : engine_, verifiers,
                                                    prompts, ids, settings, recorder);
  for (std::size_t i = 0; i < results.size(); ++i)
    evaluations.push_back({i == 0 ? name : name + "/flexible", std::move(results[i])});
}

FileNotes RunWorld::notes() const {
  FileNotes all = task_.notes;
  for (const HeldOutSet& set : held_out_) {
    all.notices.insert(all.notices.end(), set.notes.notices.begin(), set.notes.notices.end());
    all.warnings.insert(all.warnings.end(), set.notes.warnings.begin(), set.notes.warnings.end());
  }
  return all;
}

std::vector<NamedEvaluation> RunWorld::evaluate(Recorder& recorder, const SampleSink& sink,
                                                EvaluatedSets which) {
  engine_.listen(recorder, controller_.step());
  if (evaluator_) evaluator_->refresh(learner_.version());
  std::vector<NamedEvaluation> evaluations;
  if (which == EvaluatedSets::All)
    evaluate_set("test", *task_.test, *verifier_, task_.flexible.get(), recorder, sink,
                 evaluations);
  for (const HeldOutSet& set : held_out_) {
    if (!evaluations.empty() && !evaluations.back().result.complete) break;
    evaluate_set(set.name, *set.prompts, *set.verifier, set.flexible.get(), recorder, sink,
                 evaluations);
  }
  return evaluations;
}

void RunWorld::save(CheckpointWriter& writer) const {
  learner_.save(writer.path().string());
  tokenizer_->save(writer.path().string());
  if (!config_.model.path.empty())
    lm::copy_companion_files(base_folder(config_.model.path), writer.path().string());
  if (config_.sampler.refresh_every > 1)
    sampler_model_->save((writer.path() / kSamplerFolder).string());
  writer.blob(kControllerFile, controller_.save(task_.train->hash()));
  writer.blob(kHeldFile, store_.save());
  writer.blob(kCursorFile, task_.train->save());
}

void RunWorld::load(const CheckpointFolder& checkpoint) {
  learner_.load(checkpoint.path.string());
  if (config_.sampler.refresh_every > 1)
    sampler_model_->copy_from(lm::Model::load((checkpoint.path / kSamplerFolder).string(),
                                              sampler_model_->dtype(), sampler_model_->device()));
  engine_.refresh(learner_.version());
  controller_.load(checkpoint.blob(kControllerFile), task_.train->hash());
  store_.load(checkpoint.blob(kHeldFile));
  task_.train->load(checkpoint.blob(kCursorFile));
}

std::string RunWorld::model_summary() const {
  const lm::ModelConfig& c = model_.config();
  return concat(static_cast<double>(c.parameter_count() / 1000) / 1000, " M parameters (dim ",
                c.dim, ", ", c.layers, " layers, ", c.heads, "/", c.kv_heads, " heads)");
}

std::string RunWorld::device() const { return model_.device().str(); }

}  // namespace allot
