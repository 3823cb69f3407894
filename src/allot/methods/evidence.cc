// evidence (our own): equal evidence in every step, bought where a unit of compute buys most.
//
// Waves of first blocks go to the prompts that promise most; further blocks of rollouts go where
// they are expected to add more evidence per unit of compute than the run adds on average (the
// price); the step ends when a fixed amount of evidence is in, or at a cap of compute.
// Definition, derivation and measurements: docs/methods/evidence.md.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/state.h"
#include "allot/methods/parts/calibration.h"
#include "allot/methods/parts/evidence_memory.h"
#include "allot/methods/parts/evidence_price.h"
#include "allot/methods/parts/evidence_value.h"
#include "allot/methods/parts/metric_list.h"
#include "allot/methods/parts/prompt_noise.h"
#include "allot/methods/parts/rate_regression.h"
#include "allot/methods/parts/requests.h"
#include "allot/methods/parts/selectors.h"
#include "allot/methods/parts/tally_pool.h"
#include "allot/methods/parts/trained_part.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

constexpr double kFewestStarted = 8, kMostStarted = 1024;  // prompts of a wave
constexpr double kEnough = 0.9;                            // of the evidence aimed at

constexpr double kMeasured = -1;  // option prompt_noise

enum class EvidencePrior { Pool, Embedding };

struct EvidenceOptions {
  int first_block = 2, n_max = 16, max_rounds = 3;
  double candidates_per_start = 2, target = 0, cap = 10, train_cost = 3, memory = 0.7;
  double length_power = 0;
  Keep keep = Keep::All;
  double prompt_noise = kMeasured, first_noise = 0.5;
  EvidencePrior prior = EvidencePrior::Pool;
  double prior_memory = .95, ridge = 1, first_price = .04;

  template <class V>
  void fields(V& v) {
    v("first_block", first_block, Range{2, 1024}, "rollouts that a prompt starts with");
    v("n_max", n_max, Range{2, 65536}, "most rollouts of a prompt in a step");
    v("max_rounds", max_rounds, Range{1, 100}, "most requests per prompt and step");
    v("candidates_per_start", candidates_per_start, Range{1, 100},
      "prompts looked at per prompt started; 1 = no choice among prompts");
    v("target", target, Range{0, 1e9},
      "evidence of a step, in units of m (N - m) / N; 0 = an eighth of the step's rollouts, as "
      "prompt_noise leaves it in balanced groups of n_max");
    v("cap", cap, Range{1, 1e6},
      "a step ends at this compute also without its evidence, in generated responses of mean "
      "length per rollout of the budget");
    v("train_cost", train_cost, Range{0, 1000},
      "cost of a trained token over that of a generated one; measure it");
    v("memory", memory, Range{0, 1},
      "what a prompt's counts keep each time it is a candidate; 1 = they never fade");
    v("length_power", length_power, Range{0, 1},
      "0: blind to length; towards 1 prompts with short answers are preferred, a bet that they "
      "teach as well");
    v("keep", keep, Choices<Keep>{{"all", Keep::All}, {"worth", Keep::Worth}},
      "what is trained on of a group with two rewards: every rollout, or all of the rarer reward "
      "and as many of the other as are worth their training");
    v("prompt_noise", prompt_noise, Range{kMeasured, 1e6},
      "how much the directions of prompts vary, over the noise of one rollout: above 0 a group "
      "saturates, and more prompts get fewer rollouts; -1 = measured from the gradients of a few "
      "groups, where the learner reports them");
    v("first_noise", first_noise, Range{0, 1e6}, "prompt_noise before anything is measured");
    v("prior", prior,
      Choices<EvidencePrior>{{"pool", EvidencePrior::Pool},
                             {"embedding", EvidencePrior::Embedding}},
      "what is believed of a prompt before its own outcomes: what is true of the pool, or what its "
      "embedding predicts");
    v("prior_memory", prior_memory, Range{0, 1},
      "what the regression on embeddings keeps of earlier outcomes from step to step");
    v("first_price", first_price, Range{0, 1},
      "price in the first step, before anything is known of what a unit of compute buys");
    v("ridge", ridge, Range{1e-6, 1e9}, "penalty on the squared weights of that regression");
  }
  void validate(const AllocOptions&) const {
    require_option(first_block <= n_max, "alloc.evidence.first_block", first_block,
                   concat("at most alloc.evidence.n_max (", n_max, ")"));
    require_option(prompt_noise == kMeasured || prompt_noise >= 0, "alloc.evidence.prompt_noise",
                   prompt_noise, "0 or more, or -1 (measured)");
  }
  GroupRule rule(const PromptNoise& measured) const {
    return {keep, prompt_noise == kMeasured ? measured.value(first_noise) : prompt_noise};
  }
};

// The open step.
struct OpenStep {
  std::uint64_t seed = 0, step = 0;
  GroupRule rule;
  double price = 0, target = 0, cap = 0;
  BetaBelief prior;
  std::uint32_t wave = 0, round = 0, wave_first = 0;  // wave_first: its first tally
  bool wishing = false, exhausted = false;
  double range_scale = 1;  // over the mean squared range of rewards in a group
  double evidence = 0;     // of the waves that ended
  double forecast = 0, believed = 0;
  std::uint32_t continued = 0;

  template <class V>
  void state(V& v) {
    v(seed), v(step), v(rule.prompt_noise), v(price), v(target), v(cap), v(prior.a), v(prior.b);
    v(wave), v(round), v(wave_first), v(wishing), v(exhausted);
    v(range_scale), v(evidence), v(forecast), v(believed), v(continued);
  }
};

class Evidence final : public Method {
 public:
  Evidence(const AllocOptions& alloc, const AdvantageOptions&)
      : options_(alloc.section("evidence").as<EvidenceOptions>()),
        group_size_(alloc.group_size),
        memory_(alloc.prior_strength),
        economy_(options_.first_block, options_.rule(noise_).evidence(0.5), options_.first_price) {
    s_.rule = options_.rule(noise_);
  }

  Needs needs() const override {
    return {.candidate_factor = static_cast<float>(options_.candidates_per_start),
            .max_rounds = static_cast<std::uint32_t>(options_.max_rounds),
            .refill = true,
            .embedding = options_.prior == EvidencePrior::Embedding};
  }

  Decision plan(const BatchView& view) override {
    pool_.clear();
    waiting_.clear();
    shown_.clear();
    show(view.candidates);
    const double rollouts = view.budget.rollouts > 0 ? static_cast<double>(view.budget.rollouts)
                                                     : static_cast<double>(view.budget.groups) *
                                                           static_cast<double>(group_size_);
    const GroupRule rule = options_.rule(noise_);
    s_ = {.seed = view.seed,
          .step = view.step,
          .rule = rule,
          .price = economy_.price(),
          .target = options_.target > 0 ? options_.target : default_target(rollouts, rule),
          .cap = options_.cap * std::max(rollouts, 1.0),
          .prior = memory_.prior()};
    return start_wave(view.budget);
  }

  Decision observe(const Events& events) override {
    pool_.add(events.outcomes);
    memory_.learn(events.outcomes);
    show(events.prompts);
    if (events.deadline) return {.done = true};
    if (s_.wishing) {
      s_.wishing = false;
      s_.exhausted = events.prompts.empty();
      return start_wave(events.left);
    }
    if (pool_.outstanding() > 0) return {};
    s_.range_scale = memory_.range_scale(pool_.tallies());
    Decision decision = continue_wave(events.left);
    if (!decision.generate.empty()) return decision;
    end_wave();
    if (s_.evidence >= kEnough * s_.target || spent() >= s_.cap) return {.done = true};
    return next_wave(events.left);
  }

  TrainBatch finalize() override;

  void feedback(const Feedback& feedback) override {
    economy_.close(closed_, options_.train_cost);
    noise_.add(feedback.probe, probed_, s_.range_scale);
    frozen_ = frozen_ || feedback.updated;
    closed_ = {};
  }

  std::vector<Metric> metrics() const override { return metrics_.all(); }
  std::string save() const override { return save_state("evidence", 4, *this); }
  void load(std::string_view blob, std::uint64_t) override {
    load_state("evidence", 4, blob, *this);
  }

  template <class V>
  void state(V& v) {
    v(memory_), v(economy_), v(noise_), v(length_divisor_), v(frozen_);
    v(s_), v(closed_), v(probed_), v(pool_), v(waiting_), v(metrics_);
    v(regression_), v(shown_);
  }

 private:
  double felt_length(PromptId prompt) const {
    return options_.length_power > 0
               ? std::pow(memory_.relative_length(prompt), options_.length_power)
               : 1;
  }
  double default_target(double rollouts, const GroupRule& rule) const {
    const double balanced = options_.n_max / 4.0;  // x of half right, half wrong
    return std::max(rollouts / 8, 1.0) * rule.weight(balanced);
  }
  void show(std::span<const PromptRef> prompts) {
    memory_.show(prompts);
    for (const PromptRef& prompt : prompts) {
      waiting_.push_back(prompt.id);
      if (options_.prior == EvidencePrior::Embedding)
        shown_[prompt.id] = {prompt.embedding.begin(), prompt.embedding.end()};
    }
  }
  BetaBelief prior(PromptId prompt) const {
    if (const auto stated = memory_.stated_prior(prompt, s_.prior)) return *stated;
    if (options_.prior == EvidencePrior::Pool) return s_.prior;
    return regression_.prior(shown_.at(prompt)).value_or(s_.prior);
  }
  BetaBelief belief(PromptId prompt) const { return memory_.belief(prompt, prior(prompt)); }
  void learn_prior();
  void ask_for_probes(TrainBatch& batch);
  double charge(double felt_length) const { return s_.price * options_.train_cost * felt_length; }
  PairKeeper keeper(double felt_length) const { return {s_.rule, charge(felt_length)}; }
  TrainedPart trained_part(const Tally& tally) const {
    return allot::trained_part(tally, s_.rule, charge(felt_length(tally.prompt)), s_.range_scale);
  }
  double generated() const {
    double sum = 0;
    for (const Tally& tally : pool_.tallies()) sum += memory_.units(tally.tokens, tally.generated);
    return sum;
  }
  double trained() const {
    double sum = 0;
    for (const Tally& tally : pool_.tallies()) {
      const TrainedPart part = trained_part(tally);
      if (part.worth > 0)
        sum += memory_.units(tally.scored_tokens, tally.scored) * part.rollouts / tally.scored;
    }
    return sum;
  }
  double spent() const { return generated() + options_.train_cost * trained(); }
  double cost_ahead(double rollouts, PromptId prompt) const {
    return (1 + options_.train_cost * economy_.trained_share()) * rollouts *
           memory_.relative_length(prompt);
  }

  std::uint32_t wave_size() const;
  Decision next_wave(const Budget& left);
  Decision start_wave(const Budget& left);
  Decision continue_wave(const Budget& left);
  void end_wave();
  std::vector<Prediction> predictions() const;
  void set_metrics(std::uint32_t dropped_mixed, std::span<const Prediction> predictions);

  EvidenceOptions options_;
  int group_size_;

  // Over the run.
  EvidenceMemory memory_;
  PromptNoise noise_;
  EvidencePrice economy_;
  RateRegression regression_;
  double length_divisor_ = 0;  // mean length at the first update
  bool frozen_ = false;        // there was one

  OpenStep s_;
  EvidencePrice::Step closed_;                  // a finished step whose feedback has not come
  std::vector<PromptNoise::RateError> probed_;  // by its TrainBatch::probe
  TallyPool pool_;
  std::vector<PromptId> waiting_;                 // candidates not yet looked at, in stream order
  std::map<PromptId, std::vector<float>> shown_;  // embeddings of the step's candidates
  MetricList metrics_;
};

// Prompts that the missing evidence takes, or the compute that is left.
std::uint32_t Evidence::wave_size() const {
  const double starts = economy_.starts_for(s_.target - s_.evidence, s_.cap - spent());
  return static_cast<std::uint32_t>(std::clamp(starts, kFewestStarted, kMostStarted));
}

Decision Evidence::next_wave(const Budget& left) {
  const double wanted = std::ceil(options_.candidates_per_start * wave_size());
  const auto have = static_cast<double>(waiting_.size());
  if (have >= wanted || s_.exhausted) return start_wave(left);
  s_.wishing = true;
  return {.refill = static_cast<std::uint32_t>(wanted - have)};
}

Decision Evidence::start_wave(const Budget& left) {
  const std::uint32_t size = wave_size();
  const auto looked = std::min<std::size_t>(
      waiting_.size(), static_cast<std::size_t>(std::ceil(options_.candidates_per_start * size)));
  const std::uint32_t block = within_bounds(static_cast<std::uint32_t>(options_.first_block), left);
  struct Candidate {
    PromptId prompt = 0;
    double index = 0;
  };
  std::vector<Candidate> candidates;
  for (const PromptId prompt : std::span(waiting_).first(looked)) {
    memory_.fade(prompt, options_.memory);
    const double felt = felt_length(prompt);
    const double gain = expected_gain(belief(prompt), 0, 0, block, keeper(felt));
    candidates.push_back({prompt, gain / (block * felt)});
  }
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(looked));
  RandomStream random({s_.seed, RandomUse::Method, s_.step, 0, s_.wave});
  random.shuffle(std::span(candidates));  // the order of ties
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.index > b.index; });

  ++s_.wave;
  s_.round = 0;
  s_.wave_first = static_cast<std::uint32_t>(pool_.tallies().size());
  Decision decision;
  std::uint64_t affordable = affordable_rollouts(left);
  double projected = spent();
  for (const Candidate& candidate :
       std::span(candidates).first(std::min<std::size_t>(size, candidates.size()))) {
    const auto n = static_cast<std::uint32_t>(std::min<std::uint64_t>(block, affordable));
    if (n < 2 || projected >= s_.cap) break;
    decision.generate.push_back({candidate.prompt, n});
    pool_.request(candidate.prompt, n);
    affordable -= n;
    projected += cost_ahead(n, candidate.prompt);
    s_.forecast += candidate.index * block * felt_length(candidate.prompt);
    s_.believed += belief(candidate.prompt).mean();
  }
  decision.done = decision.generate.empty();
  return decision;
}

// Further blocks in the order of what they promise per unit, as long as that is above the price.
Decision Evidence::continue_wave(const Budget& left) {
  Decision decision;
  if (s_.round + 1 >= static_cast<std::uint32_t>(options_.max_rounds)) return decision;
  const std::uint32_t n_max = within_bounds(static_cast<std::uint32_t>(options_.n_max), left);
  struct Offer {
    PromptId prompt = 0;
    BlockChoice block;
    double index = 0;
  };
  std::vector<Offer> offers;
  for (const Tally& tally : pool_.tallies().subspan(s_.wave_first)) {
    const double felt = felt_length(tally.prompt);
    const std::uint32_t room = n_max > tally.requested ? n_max - tally.requested : 0;
    const BlockChoice block =
        best_block(belief(tally.prompt), tally.correct, tally.scored, room, keeper(felt));
    const double index = block.per_rollout() / felt;
    if (block.size > 0 && index > s_.price) offers.push_back({tally.prompt, block, index});
  }
  std::stable_sort(offers.begin(), offers.end(),
                   [](const Offer& a, const Offer& b) { return a.index > b.index; });
  std::uint64_t affordable = affordable_rollouts(left);
  double projected = spent();
  for (const Offer& offer : offers) {
    if (affordable == 0 || projected >= s_.cap) break;
    const auto n =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(offer.block.size, affordable));
    decision.generate.push_back({offer.prompt, n});
    pool_.request(offer.prompt, n);
    affordable -= n;
    projected += cost_ahead(n, offer.prompt);
    s_.forecast += offer.block.gain;
    ++s_.continued;
  }
  ++s_.round;
  return decision;
}

void Evidence::end_wave() {
  const auto wave = pool_.tallies().subspan(s_.wave_first);
  double sum = 0;
  for (const Tally& tally : wave) {
    const TrainedPart part = trained_part(tally);
    if (part.worth > 0) sum += part.evidence;
  }
  s_.evidence += sum;
  economy_.close_wave(sum, static_cast<double>(wave.size()));
}

TrainBatch Evidence::finalize() {
  s_.range_scale = memory_.range_scale(pool_.tallies());
  TrainBatch batch;
  batch.norm = Norm::Fixed;
  batch.fixed = s_.target;
  if (!frozen_) length_divisor_ = memory_.mean_length();
  batch.length_divisor = length_divisor_;
  closed_ = {.generated = generated(),
             .trained = trained(),
             .started = static_cast<double>(pool_.tallies().size())};
  const TallyPool::Sorted sorted = pool_.sorted();
  std::uint32_t dropped_mixed = 0;
  for (std::size_t i = 0; i < pool_.tallies().size(); ++i) {
    const Tally& tally = pool_.tallies()[i];
    const TrainedPart part = trained_part(tally);
    const bool ships = part.worth > 0;
    if (ships) {
      ship(batch, tally, part,
           sorted.rollouts.subspan(sorted.first[i], sorted.first[i + 1] - sorted.first[i]),
           selection_stream(s_.seed, s_.step, tally.prompt));
      closed_.evidence += part.evidence;
    }
    dropped_mixed += !ships && tally.range() > 0;
    batch.reports.push_back({.prompt = tally.prompt,
                             .counted_n = tally.scored,
                             .counted_sum = static_cast<float>(tally.correct),
                             .admitted = ships,
                             .shipped = ships ? batch.groups.back().count : 0});
  }
  probed_.clear();
  if (options_.prompt_noise == kMeasured) ask_for_probes(batch);
  memory_.close(pool_.tallies());
  const std::vector<Prediction> predicted = predictions();  // by the prior of before
  learn_prior();
  set_metrics(dropped_mixed, predicted);
  return batch;
}

void Evidence::ask_for_probes(TrainBatch& batch) {
  batch.probe = noise_.choose(batch);
  for (const std::uint32_t place : batch.probe) {
    const TrainGroup& group = batch.groups[place];
    probed_.push_back(PromptNoise::rate_error(
        std::span(batch.items).subspan(group.first, group.count), belief(group.prompt)));
  }
}

// From first blocks, which were asked for without a look at their outcomes.
void Evidence::learn_prior() {
  if (options_.prior == EvidencePrior::Pool) return;
  for (const Tally& tally : pool_.tallies())
    if (tally.first_scored > 0)
      regression_.add(shown_.at(tally.prompt), tally.first_correct, tally.first_scored);
  regression_.fit(options_.prior_memory, options_.ridge);
}

// As believed before the step: its verdicts, which beliefs hold by now, are taken out again.
std::vector<Prediction> Evidence::predictions() const {
  std::vector<Prediction> out;
  out.reserve(pool_.tallies().size());
  for (const Tally& tally : pool_.tallies()) {
    const BetaBelief now = belief(tally.prompt);
    const BetaBelief before{now.a - tally.correct, now.b - (tally.scored - tally.correct)};
    out.push_back({before.mean(), double(tally.first_correct), double(tally.first_scored)});
  }
  return out;
}

void Evidence::set_metrics(std::uint32_t dropped_mixed, std::span<const Prediction> predictions) {
  const auto tallies = pool_.tallies();
  double first = 0, first_correct = 0, length = 0, worth_sum = 0;
  constexpr std::array<std::pair<std::uint32_t, const char*>, 5> kSizes = {
      {{2, "2"}, {4, "4"}, {8, "8"}, {16, "16"}, {~0u, "more"}}};
  std::array<std::uint32_t, kSizes.size()> sizes{};
  for (const Tally& tally : tallies) {
    first += tally.first_scored;
    first_correct += tally.first_correct;
    length += memory_.relative_length(tally.prompt);
    worth_sum += trained_part(tally).worth;
    std::size_t size = 0;
    while (tally.requested > kSizes[size].first) ++size;
    ++sizes[size];
  }
  const double compute = closed_.compute(options_.train_cost);
  metrics_.clear();
  metrics_.set("price", s_.price);
  metrics_.set("prompt_noise", s_.rule.prompt_noise);
  metrics_.set("evidence", closed_.evidence);
  metrics_.set_share("evidence_per_unit", closed_.evidence, compute);
  metrics_.set("waves", s_.wave);
  metrics_.set("started", tallies.size());
  metrics_.set("continued", s_.continued);
  metrics_.set("dropped_mixed", dropped_mixed);
  metrics_.set("capped", compute >= s_.cap && closed_.evidence < kEnough * s_.target);
  metrics_.set("prior_mean", s_.prior.mean());
  metrics_.set("prior_strength", s_.prior.a + s_.prior.b);
  if (options_.prior == EvidencePrior::Embedding)
    metrics_.set("embedding_strength", regression_.strength());
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] > 0)
      metrics_.set_share(std::string("n_hist/") + kSizes[i].second, sizes[i], tallies.size());
  metrics_.set_share("length_mean_selected", length, tallies.size());
  metrics_.set_share("selected_p_mean", s_.believed, tallies.size());
  metrics_.set_share("first_block_correct", first_correct, first);
  metrics_.set("worth_forecast", s_.forecast);
  metrics_.set("worth_realised", worth_sum);
  metrics_.set("visits_gini", memory_.visits_gini());
  set_calibration(metrics_, predictions);
}

}  // namespace

MethodInfo evidence_method() {
  return {"evidence", "equal evidence per step, bought where a unit of compute buys most of it",
          "ours", MethodSection(EvidenceOptions{}), construct<Evidence>};
}

}  // namespace allot
