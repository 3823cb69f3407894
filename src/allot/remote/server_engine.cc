#include "allot/remote/server_engine.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>
#include <unordered_set>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot::remote {
namespace {

constexpr const char* kWhere = "remote.engine";
constexpr float kLowestTemperature = 1e-4F;

// The seed of a request: 53 bits of the first rollout's own stream.
std::uint64_t seed_of(const Work& work, std::uint32_t seq) {
  const RandomStream stream(random_key(work, seq));
  return ((std::uint64_t{stream.word_at(0)} << 32U) | stream.word_at(1)) >> 11U;
}

// Names of versions that no other run shares; no decision sees them.
std::string run_name() {
  std::random_device device;
  return concat("allot-", device() % 1000000000U);
}

void check_sampling(const Sampling& sampling, float temperature) {
  const auto refuse = [](const char* key, auto value, const char* needed) {
    throw Error(ErrorKind::Config, kWhere,
                concat("rollout.", key, " = ", value, " was given; ", needed));
  };
  if (temperature != 0 && !(temperature >= kLowestTemperature && std::isfinite(temperature)))
    refuse("temperature", temperature, "0 (greedy) or a number of at least 0.0001 is needed");
  if (!(sampling.top_p > 0 && sampling.top_p <= 1))
    refuse("top_p", sampling.top_p, "more than 0, at most 1 is needed");
  if (!(sampling.min_p >= 0 && sampling.min_p <= 1))
    refuse("min_p", sampling.min_p, "0 to 1 is needed");
  if (sampling.top_k < 0) refuse("top_k", sampling.top_k, "0 (off) or more is needed");
}

// Rollout::logp is at the sampling temperature, before truncation.
void check_logprobs(LogprobMode mode, const Sampling& sampling, float temperature) {
  const bool truncates = sampling.top_p < 1 || sampling.top_k > 0 || sampling.min_p > 0;
  if (mode == LogprobMode::Raw && temperature != 1)
    throw Error(ErrorKind::Config, "rollout.server.logprobs",
                concat("raw was given; log-probabilities at temperature 1 do not fit rollouts at ",
                       temperature),
                "vllm serve --logprobs-mode processed_logprobs with rollout.server.logprobs: "
                "processed, or temperature 1");
  if (mode == LogprobMode::Processed && truncates)
    throw Error(ErrorKind::Config, "rollout.server.logprobs",
                "processed was given; log-probabilities after top_p, top_k or min_p are of another "
                "distribution than the one that is trained",
                "train without them, or take raw at temperature 1");
}

}  // namespace

ServerEngine::ServerEngine(ServerOptions options, const std::string& api_key,
                           const Tokenizer& tokenizer, std::shared_ptr<WeightPublisher> publisher,
                           const std::atomic<bool>* stop)
    : options_(std::move(options)),
      tokenizer_(tokenizer),
      publisher_(std::move(publisher)),
      stop_(stop),
      control_(options_, api_key, watch_, [this] { return stopped(); }),
      weights_(options_, control_, *publisher_, run_name()),
      pool_(options_, api_key, weights_, watch_) {
  options_.validate();
}

ServerEngine::~ServerEngine() { ending_ = true; }

void ServerEngine::start(const std::string& folder) {
  if (started_) return;
  std::string line = dialect_of(options_.api).start_line;
  const auto fill = [&line](const std::string& what, const std::string& by) {
    const std::size_t at = line.find(what);
    if (at != std::string::npos) line.replace(at, what.size(), by);
  };
  fill("{path}", folder);
  fill("{name}", options_.model.empty() ? "policy" : options_.model);
  facts_ = control_.look(line);
  weights_.set_model(facts_.model);
  started_ = true;
}

// One token after the end token: what the answers of this server look like.
void ServerEngine::probe() {
  CompletionRequest request;
  request.prompt = {tokenizer_.end_token()};
  request.max_tokens = 1;
  request.vocabulary = tokenizer_.size();
  const Dialect& dialect = dialect_of(options_.api);
  const CompletionChecks checks = weights_.checks(version_);
  const std::string body = completion_body(request, dialect, checks.model, "allot-probe");
  CompletionAnswer read;
  for (int i = 0; i <= options_.retries; ++i) {
    const HttpAnswer answer = control_.call("POST", "/v1/completions", body, options_.timeout_s);
    if (verdict_of(answer) != Verdict::Good)
      control_.fail(concat("POST /v1/completions: ", description_of(answer),
                           "; an answer to a prompt of token ids is needed"));
    read = read_completion(answer.body, request, dialect, checks);
    if (read.fault == Fault::None || read.fault == Fault::NoTokenIds) break;
  }
  if (read.fault == Fault::NoTokenIds)
    control_.fail("the server's answers have no token ids; rollouts cannot be trained on without",
                  concat(dialect.name, " has them from the version on that docs/server.md names"));
  if (read.fault != Fault::None)
    control_.fail(concat(read.reason, "; an answer that can be trained on is needed"));
  if (weights_.proof_by_query()) weights_.confirmed(version_);  // that it can be asked at all
}

void ServerEngine::put_in_force() {
  const std::string folder = weights_.publish(version_);
  const bool first = !started_;
  start(folder);
  weights_.load(version_);
  if (first) probe();
  weights_.retire_below(pool_.oldest_open(version_));
  in_force_ = true;
}

void ServerEngine::refresh(Version version) {
  in_force_ = false;
  try {
    const auto must_wait = [&] { return options_.load == LoadBy::Folder && pool_.open() > 0; };
    while (must_wait() && collect()) {
    }
    version_ = version;
    if (!stopped()) put_in_force();
  } catch (const Error&) {
    if (!stopped()) throw;
  }
}

CompletionRequest ServerEngine::checked(const Work& work) const {
  if (work.prompt == nullptr)
    throw Error(ErrorKind::Internal, kWhere, "work without a prompt was given");
  const Prompt& prompt = *work.prompt;
  if (work.issued.exemplar != 0)
    throw Error(ErrorKind::Config, kWhere,
                concat("prompt ", prompt.key, ": in-context examples are not served"));
  CompletionRequest request;
  request.temperature =
      work.issued.temperature < 0 ? work.sampling.temperature : work.issued.temperature;
  check_sampling(work.sampling, request.temperature);
  if (work.purpose == Purpose::Train)
    check_logprobs(options_.logprobs, work.sampling, request.temperature);
  try {
    request.prompt = tokenizer_.encode(prompt.text);
  } catch (const Error& error) {
    throw Error(ErrorKind::Data, kWhere, concat("prompt ", prompt.key, ": ", error.what()));
  }
  if (request.prompt.empty())
    throw Error(ErrorKind::Data, kWhere,
                concat("prompt ", prompt.key, " is empty; at least one token is needed"));
  request.max_tokens = room(work, request.prompt.size());
  request.top_p = work.sampling.top_p;
  request.min_p = work.sampling.min_p;
  request.top_k = work.sampling.top_k;
  request.vocabulary = tokenizer_.size();
  request.version = version_;
  request.stop_tokens = {tokenizer_.end_token()};
  for (const std::string& text : work.sampling.stop) {
    const std::vector<std::int32_t> tokens = tokenizer_.encode(text);
    if (tokens.size() == 1)
      request.stop_tokens.push_back(tokens[0]);
    else
      request.stop_texts.push_back(text);
  }
  return request;
}

std::uint32_t ServerEngine::room(const Work& work, std::size_t prompt) const {
  const std::uint32_t wanted = work.sampling.max_new;
  if (facts_.context == 0) {
    if (wanted > 0) return wanted;
    throw Error(ErrorKind::Config, kWhere,
                "rollout.max_new_tokens = 0 was given, and the server does not tell its context; a "
                "number is needed");
  }
  const std::int64_t left = facts_.context - static_cast<std::int64_t>(prompt);
  if (left < std::max<std::int64_t>(wanted, 1))
    throw Error(ErrorKind::Data, kWhere,
                concat("prompt ", work.prompt->key, " has ", prompt, " tokens, and its response ",
                       std::max(wanted, 1U),
                       "; together they must fit into the server's context of ", facts_.context),
                "drop long prompts, lower rollout.max_new_tokens or start the server with more");
  return wanted > 0 ? wanted : static_cast<std::uint32_t>(left);
}

void ServerEngine::submit(std::span<const Work> work) {
  if (!in_force_) refresh(version_);
  if (!in_force_) return;  // stopped
  std::vector<CompletionRequest> requests;
  requests.reserve(work.size());
  for (const Work& one : work) requests.push_back(checked(one));
  for (std::size_t i = 0; i < work.size(); ++i) add(work[i], requests[i]);
}

// Cuts a request into those that are sent: `choices` rollouts each.
void ServerEngine::add(const Work& work, const CompletionRequest& request) {
  const Issued& issued = work.issued;
  const auto choices = static_cast<std::uint32_t>(options_.choices);
  for (std::uint32_t first = 0; first < issued.n; first += choices) {
    const auto task = std::make_shared<Task>();
    task->request = request;
    task->request.n = std::min(choices, issued.n - first);
    task->request.seed = seed_of(work, issued.first_seq + first);
    task->cancelled.assign(task->request.n, false);
    for (std::uint32_t i = 0; i < task->request.n; ++i) {
      Rollout& rollout = task->rollouts.emplace_back();
      rollout.id = issued.first + first + i;
      rollout.prompt = issued.prompt;
      rollout.tag = issued.tag;
      rollout.seq = issued.first_seq + first + i;
      rollout.round = issued.round;
      rollout.behaviour = version_;
    }
    pool_.add(task);
  }
}

void ServerEngine::cancel(std::span<const RolloutId> ids) {
  const std::unordered_set<RolloutId> named(ids.begin(), ids.end());
  pool_.cancel([&](RolloutId id) { return named.contains(id); });
  for (Rollout& rollout : ready_) {
    if (!named.contains(rollout.id)) continue;
    rollout.status = Status::Cancelled;
    rollout.tokens.clear();
    rollout.logp.clear();
    rollout.text.clear();
  }
}

// Moves what has come out into ready_, as far as its version is proved. False: nothing is open, or
// the run is being stopped.
bool ServerEngine::collect() {
  const std::vector<TaskPtr> tasks = pool_.take([this] { return stopped(); });
  if (tasks.empty()) return false;
  const bool asks = weights_.proof_by_query();
  const bool any_answer = std::any_of(tasks.begin(), tasks.end(), [](const TaskPtr& task) {
    return task->end == Task::End::Answered;
  });
  const bool right = !asks || !any_answer || weights_.confirmed(version_);
  bool success = false;
  for (const TaskPtr& task : tasks) {
    const bool answered = task->end == Task::End::Answered;
    const bool proved = right && (!asks || weights_.holds(task->epoch));
    if (answered && !proved) {
      weights_.restore(version_, task->epoch);
      pool_.repeat(task, "other weights", "the server has not the weights it was given");
      continue;
    }
    success |= answered;
    deliver(*task);
  }
  if (success) pool_.note_success();
  return true;
}

void ServerEngine::deliver(const Task& task) {
  const bool answered = task.end == Task::End::Answered;
  bool any = false;
  for (std::size_t i = 0; i < task.rollouts.size(); ++i) {
    Rollout& rollout = ready_.emplace_back(task.rollouts[i]);
    if (task.cancelled[i] || task.end == Task::End::Cancelled) {
      rollout.status = Status::Cancelled;
    } else if (!answered) {
      rollout.status = Status::Failed;
    } else {
      const Completion& completion = task.answer.choices[i];
      rollout.status = completion.status;
      rollout.tokens = completion.tokens;
      rollout.logp = completion.logp;
      rollout.text = tokenizer_.decode(rollout.tokens);
      cost_.generated += rollout.tokens.size();
      any = true;
    }
  }
  if (any) cost_.prefilled += task.request.prompt.size() - task.answer.cached_prompt;
}

std::string ServerEngine::take_trouble() {
  const ServerStats now = pool_.stats();
  std::string causes;
  std::uint64_t repeated = 0;
  for (const auto& [cause, count] : now.repeated) {
    const auto before = told_.repeated.find(cause);
    const std::uint64_t fresh = count - (before == told_.repeated.end() ? 0 : before->second);
    if (fresh == 0) continue;
    repeated += fresh;
    causes += concat(causes.empty() ? "" : ", ", cause, " ", fresh);
  }
  const std::uint64_t failed = now.failed - told_.failed;
  const std::uint64_t requests = now.requests - told_.requests;
  told_ = now;
  if (repeated == 0 && failed == 0) return {};
  return concat(requests, " requests needed ", repeated, " repetitions (", causes, "), ", failed,
                " of them failed; the last trouble: ", now.last_trouble);
}

std::vector<Rollout> ServerEngine::wait() {
  try {
    while (ready_.empty() && collect()) {
    }
  } catch (const Error&) {
    pool_.clear();
    ready_.clear();
    if (!stopped()) throw;
  }
  if (stopped()) {
    pool_.clear();
    ready_.clear();
  }
  std::sort(ready_.begin(), ready_.end(),
            [](const Rollout& a, const Rollout& b) { return a.id < b.id; });
  return std::exchange(ready_, {});
}

}  // namespace allot::remote
