#include "allot/local/engine.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "allot/core/error.h"

namespace allot {
namespace {

constexpr const char* kWhere = "local.engine";

void check_sampling(const Sampling& sampling, float temperature) {
  const auto refuse = [](const char* key, auto value, const char* needed) {
    throw Error(ErrorKind::Config, kWhere,
                concat("rollout.", key, " = ", value, " was given; ", needed));
  };
  if (temperature != 0 && !(temperature >= lm::kLowestTemperature && std::isfinite(temperature))) {
    refuse("temperature", temperature, "0 (greedy) or a number of at least 0.0001 is needed");
  }
  if (!(sampling.top_p > 0 && sampling.top_p <= 1)) {
    refuse("top_p", sampling.top_p, "more than 0, at most 1 is needed");
  }
  if (!(sampling.min_p >= 0 && sampling.min_p <= 1)) {
    refuse("min_p", sampling.min_p, "0 to 1 is needed");
  }
  if (sampling.top_k < 0) refuse("top_k", sampling.top_k, "0 (off) or more is needed");
}

// The end tokens and every stop text, each of which must be one token.
std::vector<std::int32_t> stop_tokens(const Sampling& sampling, const Tokenizer& tokenizer,
                                      std::vector<std::int32_t> stops) {
  stops.push_back(tokenizer.end_token());
  for (const std::string& text : sampling.stop) {
    const std::vector<std::int32_t> tokens = tokenizer.encode(text);
    if (tokens.size() != 1) {
      throw Error(ErrorKind::Config, kWhere,
                  concat("rollout.stop has \"", text, "\", which is ", tokens.size(),
                         " tokens; texts of exactly one token are needed"));
    }
    stops.push_back(tokens[0]);
  }
  return stops;
}

}  // namespace

LocalEngine::LocalEngine(const lm::Model& model, const Tokenizer& tokenizer,
                         LocalEngineOptions options, const std::atomic<bool>* stop)
    : tokenizer_(tokenizer),
      generating_(std::make_shared<lm::GenerationProgress>(std::max(1, options.workers))),
      generator_(model, {options.workers, options.slots, options.dtype, generating_}),
      options_(options),
      stop_(stop),
      end_tokens_(model.config().end_tokens),
      context_(model.config().context),
      exact_(options.dtype == lm::DecodeType::OfModel &&
             (model.dtype() == at::kFloat || model.dtype() == at::kDouble)) {
  if (tokenizer.size() > model.config().vocab) {
    throw Error(ErrorKind::Model, kWhere,
                concat("a tokenizer of ", tokenizer.size(), " ids was given with a model of ",
                       model.config().vocab, "; the model needs at least as many"));
  }
}

EngineTraits LocalEngine::traits() const {
  return {.exact_logprobs = exact_, .cancel = true, .grain = Grain::Rollout, .entropy = true};
}

LocalEngine::Pending LocalEngine::checked(const Work& work) const {
  if (work.prompt == nullptr) {
    throw Error(ErrorKind::Internal, kWhere, "work without a prompt was given");
  }
  const Prompt& prompt = *work.prompt;
  if (work.issued.exemplar != 0) {
    throw Error(ErrorKind::Config, kWhere,
                concat("prompt ", prompt.key, ": in-context examples are not served"));
  }
  Pending pending;
  pending.work = work;
  pending.temperature =
      work.issued.temperature < 0 ? work.sampling.temperature : work.issued.temperature;
  check_sampling(work.sampling, pending.temperature);
  pending.stop_tokens = stop_tokens(work.sampling, tokenizer_, end_tokens_);
  try {
    pending.prompt = tokenizer_.encode(prompt.text);
  } catch (const Error& error) {
    throw Error(ErrorKind::Data, kWhere, concat("prompt ", prompt.key, ": ", error.what()));
  }
  const std::size_t length = pending.prompt.size();
  const auto context = static_cast<std::size_t>(context_);
  if (length == 0) {
    throw Error(ErrorKind::Data, kWhere,
                concat("prompt ", prompt.key, " is empty; at least one token is needed"));
  }
  const std::size_t wanted = work.sampling.max_new > 0 ? work.sampling.max_new : 1;
  if (length + wanted > context) {
    throw Error(ErrorKind::Data, kWhere,
                concat("prompt ", prompt.key, " has ", length, " tokens, and its response ", wanted,
                       "; together they must fit into the context of ", context_),
                "drop long prompts, lower rollout.max_new_tokens or raise the model's context");
  }
  pending.max_new = work.sampling.max_new > 0 ? work.sampling.max_new
                                              : static_cast<std::uint32_t>(context - length);
  return pending;
}

void LocalEngine::submit(std::span<const Work> work) {
  std::vector<Pending> taken;
  for (const Work& one : work) {
    Pending pending = checked(one);
    if (one.issued.n > 0) taken.push_back(std::move(pending));
  }
  std::move(taken.begin(), taken.end(), std::back_inserter(pending_));
}

// The rollout number `index` of what is left of a request, without its content.
Rollout LocalEngine::rollout_of(const Pending& pending, std::uint32_t index) const {
  const Issued& issued = pending.work.issued;
  Rollout rollout;
  rollout.id = issued.first + index;
  rollout.prompt = issued.prompt;
  rollout.tag = issued.tag;
  rollout.seq = issued.first_seq + index;
  rollout.round = issued.round;
  rollout.behaviour = version_;
  return rollout;
}

void LocalEngine::cancel(std::span<const RolloutId> ids) {
  const std::set<RolloutId> wanted(ids.begin(), ids.end());
  std::vector<Pending> kept;
  for (Pending& pending : pending_) {
    // What stays of the request falls into runs of consecutive rollouts, each a request of its own.
    const std::uint32_t n = pending.work.issued.n;
    std::uint32_t run = 0;
    for (std::uint32_t i = 0; i <= n; ++i) {
      const bool cancelled = i < n && wanted.contains(pending.work.issued.first + i);
      if (cancelled) {
        cancelled_.push_back(rollout_of(pending, i));
        cancelled_.back().status = Status::Cancelled;
      }
      if (!cancelled && i < n) {
        ++run;
      } else if (run > 0) {
        kept.push_back(pending);
        Issued& left = kept.back().work.issued;
        left.first += i - run;
        left.first_seq += i - run;
        left.n = run;
        run = 0;
      }
    }
  }
  pending_ = std::move(kept);
}

lm::GenerationRequest LocalEngine::request_of(const Pending& pending, std::uint64_t id) const {
  const Work& work = pending.work;
  const auto chunk = static_cast<std::uint32_t>(options_.chunk);
  lm::GenerationRequest request;
  request.id = id;
  request.n = chunk > 0 ? std::min(work.issued.n, chunk) : work.issued.n;
  request.prompt = pending.prompt;
  request.random = random_key(work, work.issued.first_seq);
  request.temperature = pending.temperature;
  request.top_p = work.sampling.top_p;
  request.min_p = work.sampling.min_p;
  request.top_k = work.sampling.top_k;
  request.max_new = pending.max_new;
  request.stop_tokens = pending.stop_tokens;
  return request;
}

std::vector<Rollout> LocalEngine::wait() {
  std::vector<Rollout> rollouts = std::exchange(cancelled_, {});
  std::vector<lm::GenerationRequest> requests;
  for (const Pending& pending : pending_) {  // a sequence's id is its rollout's place in the result
    requests.push_back(request_of(pending, rollouts.size()));
    for (std::uint32_t i = 0; i < requests.back().n; ++i) {
      rollouts.push_back(rollout_of(pending, i));
    }
  }
  const lm::GenerationCost cost = generator_.run(
      requests,
      [&](lm::GeneratedSequence&& made) {
        Rollout& rollout = rollouts[made.id];
        rollout.status = made.truncated ? Status::Truncated : Status::Ok;
        rollout.tokens = std::move(made.tokens);
        rollout.logp = std::move(made.logprob);
        rollout.mean_entropy = made.mean_entropy;
        rollout.text = tokenizer_.decode(rollout.tokens);
        ++finished_;
        return true;
      },
      stop_);
  cost_.prefilled += cost.prefilled;
  cost_.generated += cost.generated;
  if (stop_ && stop_->load()) {
    pending_.clear();
    return {};
  }
  advance(requests);
  return rollouts;
}

// Takes what was generated off the open requests.
void LocalEngine::advance(const std::vector<lm::GenerationRequest>& generated) {
  for (std::size_t i = 0; i < generated.size(); ++i) {
    Issued& issued = pending_[i].work.issued;
    issued.first += generated[i].n;
    issued.first_seq += generated[i].n;
    issued.n -= generated[i].n;
  }
  std::erase_if(pending_, [](const Pending& p) { return p.work.issued.n == 0; });
}

void LocalEngine::refresh(Version version) {
  version_ = version;
  generator_.weights_changed();
}

}  // namespace allot
