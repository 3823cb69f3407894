#include "allot/remote/request_pool.h"

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

namespace allot::remote {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr auto kStopPoll = std::chrono::milliseconds(50);
constexpr std::size_t kBytesPerToken = 1024;  // of an answer, generously
constexpr std::size_t kBytesBeside = std::size_t{1} << 20;

// Two pools of one server must not give a request the same id; no decision sees it.
std::string own_prefix() {
  std::random_device device;
  const std::uint64_t wide = (std::uint64_t{device()} << 32U) | device();
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4)
    text += "0123456789abcdef"[(wide >> static_cast<unsigned>(shift)) & 15U];
  return concat("allot-", text, "-");
}

std::size_t longest_answer(const CompletionRequest& request) {
  const std::size_t tokens = request.prompt.size() + request.max_tokens;
  return kBytesBeside + kBytesPerToken * tokens * request.n;
}

}  // namespace

RequestPool::RequestPool(const ServerOptions& options, const std::string& api_key,
                         ServerWeights& weights, Watch& watch)
    : options_(options),
      dialect_(dialect_of(options.api)),
      api_key_(api_key),
      weights_(weights),
      watch_(watch),
      id_prefix_(own_prefix()),
      timeout_s_(options.timeout_s) {}

RequestPool::~RequestPool() {
  clear();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  queued_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void RequestPool::add(TaskPtr task) {
  const std::lock_guard lock(mutex_);
  queue_.push_back(std::move(task));
  const auto most = static_cast<std::size_t>(options_.in_flight);
  if (idle_ < queue_.size() && threads_.size() < most) threads_.emplace_back([this] { work(); });
  queued_.notify_one();
}

std::vector<TaskPtr> RequestPool::take(const std::function<bool()>& stopped) {
  Lock lock(mutex_);
  const auto ready = [&] {
    return broken_ || !out_tasks_.empty() || (queue_.empty() && running_.empty());
  };
  while (!ready() && !stopped()) out_.wait_for(lock, kStopPoll);
  if (broken_) throw Error(*broken_);
  return std::exchange(out_tasks_, {});
}

void RequestPool::cancel(const std::function<bool(RolloutId)>& named) {
  const std::lock_guard lock(mutex_);
  const auto mark = [&](const TaskPtr& task) {
    for (std::size_t i = 0; i < task->rollouts.size(); ++i)
      if (named(task->rollouts[i].id)) task->cancelled[i] = true;
    task->unwanted = std::all_of(task->cancelled.begin(), task->cancelled.end(),
                                 [](bool cancelled) { return cancelled; });
    if (task->unwanted) watch_.interrupt(task->exchange);
  };
  std::for_each(running_.begin(), running_.end(), mark);
  std::for_each(out_tasks_.begin(), out_tasks_.end(), mark);
  std::deque<TaskPtr> wanted;
  for (TaskPtr& task : queue_) {
    mark(task);
    if (!task->unwanted) {
      wanted.push_back(std::move(task));
      continue;
    }
    task->end = Task::End::Cancelled;
    come_out(std::move(task));
  }
  queue_ = std::move(wanted);
  changed_.notify_all();
}

void RequestPool::clear() {
  const std::lock_guard lock(mutex_);
  queue_.clear();
  out_tasks_.clear();
  for (const TaskPtr& task : running_) {
    task->unwanted = true;
    watch_.interrupt(task->exchange);
  }
  running_.clear();  // what is not among the running does not come out
  changed_.notify_all();
}

void RequestPool::repeat(TaskPtr task, const std::string& cause, const std::string& details) {
  bool again = false;
  {
    const std::lock_guard lock(mutex_);
    --stats_.requests;  // it had come out
    again = note_trouble(*task, cause, details);
    if (!again) come_out(task);
  }
  if (again) add(std::move(task));
}

void RequestPool::note_success() {
  const std::lock_guard lock(mutex_);
  failed_in_a_row_ = 0;
}

std::size_t RequestPool::open() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + running_.size() + out_tasks_.size();
}

Version RequestPool::oldest_open(Version none) const {
  const std::lock_guard lock(mutex_);
  Version oldest = none;
  const auto look = [&](const TaskPtr& task) { oldest = std::min(oldest, task->request.version); };
  std::for_each(queue_.begin(), queue_.end(), look);
  std::for_each(running_.begin(), running_.end(), look);
  std::for_each(out_tasks_.begin(), out_tasks_.end(), look);
  return oldest;
}

ServerStats RequestPool::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void RequestPool::work() {
  HttpChannel channel(parse_server_url(options_.url), api_key_, options_.connect_timeout_s);
  Lock lock(mutex_);
  while (true) {
    ++idle_;
    queued_.wait(lock, [&] { return closing_ || !queue_.empty(); });
    --idle_;
    if (closing_) return;
    const TaskPtr task = std::move(queue_.front());
    queue_.pop_front();
    running_.insert(task);
    try {
      serve(channel, *task, lock);
    } catch (const Error& error) {  // of loading weights once more
      if (!lock.owns_lock()) lock.lock();
      break_off(error);
    } catch (const std::exception& error) {
      if (!lock.owns_lock()) lock.lock();
      break_off(Error(ErrorKind::Internal, "remote.request_pool", error.what()));
    }
    if (running_.erase(task) > 0) come_out(task);
    out_.notify_all();  // also where the pool became idle
  }
}

// The lock is held but for the time on the wire and in pauses.
void RequestPool::serve(HttpChannel& channel, Task& task, Lock& lock) {
  while (true) {
    pause(task, lock);
    if (is_over(task)) break;
    if (try_once(channel, task, lock)) return;
  }
  task.end = Task::End::Cancelled;
}

// Before a repetition, and while the server wants to be left alone.
void RequestPool::pause(const Task& task, Lock& lock) {
  while (!is_over(task)) {
    const Time until = std::max(task.not_before, not_before_);
    if (std::chrono::steady_clock::now() >= until) return;
    changed_.wait_until(lock, until);
  }
}

void RequestPool::hold_back(Task& task, double retry_after_s) {
  const double wait = pause_before(task.repetitions, retry_after_s, task.request.seed, options_);
  task.not_before =
      std::chrono::steady_clock::now() + std::chrono::duration_cast<Time::duration>(Seconds(wait));
  if (retry_after_s > 0) not_before_ = std::max(not_before_, task.not_before);
}

// True: the task has its end.
bool RequestPool::try_once(HttpChannel& channel, Task& task, Lock& lock) {
  lock.unlock();
  task.epoch = weights_.begin();
  const CompletionChecks checks = weights_.checks(task.request.version);
  lock.lock();
  if (is_over(task)) return false;
  const HttpAnswer answer = exchange(channel, task, lock, checks);
  const bool has_end = !task.unwanted && judge(task, lock, answer, checks);
  if (!has_end || task.end != Task::End::Answered) channel.drop();
  return has_end;
}

HttpAnswer RequestPool::exchange(HttpChannel& channel, Task& task, Lock& lock,
                                 const CompletionChecks& checks) {
  const std::string id = concat(id_prefix_, ++last_id_);
  HttpRequest request;
  request.method = "POST";
  request.path = "/v1/completions";
  request.id_header = dialect_.id_header;
  request.id = id;
  request.timeout_s = timeout_s_;
  request.max_bytes = longest_answer(task.request);
  task.exchange = watch_.begin(channel, timeout_s_);
  lock.unlock();
  request.body = completion_body(task.request, dialect_, checks.model, id);
  HttpAnswer answer = channel.send(request);
  lock.lock();
  const Watch::Ending ending = watch_.end(task.exchange);
  task.exchange = 0;
  if (answer.end != HttpEnd::Answered && ending == Watch::Ending::TimedOut)
    answer.what = concat("no complete answer within ", timeout_s_, " s");
  if (answer.end == HttpEnd::Answered) answer.what = id;
  return answer;
}

bool RequestPool::judge(Task& task, Lock& lock, const HttpAnswer& answer,
                        const CompletionChecks& checks) {
  const std::string details = description_of(answer);
  switch (verdict_of(answer)) {
    case Verdict::Good:
      return read(task, lock, answer, checks);
    case Verdict::Denied:
      break_off(Error(ErrorKind::Sampler, options_.url,
                      concat("the server denies access (", details, "); the right key is needed"),
                      "rollout.server.api_key_file names a file with the key"));
      return false;
    case Verdict::Missing:  // a restarted server has no adapters
      if (checks.model_is_version) restore(task, lock, details);
      return !note_trouble(task, "the model is missing", details);
    case Verdict::Refused:
      task.repetitions = static_cast<std::uint32_t>(options_.retries);
      return !note_trouble(task, "refused", details);
    case Verdict::Repeat:
      break;
  }
  const std::string cause = answer.end == HttpEnd::Answered
                                ? concat("status ", answer.status)
                                : answer.what.substr(0, answer.what.find(" within "));
  const bool again = note_trouble(task, cause, details);
  if (again && answer.retry_after_s > 0) hold_back(task, answer.retry_after_s);
  return !again;
}

bool RequestPool::read(Task& task, Lock& lock, const HttpAnswer& answer,
                       const CompletionChecks& checks) {
  CompletionChecks complete = checks;
  const bool has_id = *dialect_.id_header != '\0' || *dialect_.id_field != '\0';
  if (has_id) complete.id = dialect_.id_prefix + answer.what;
  lock.unlock();
  CompletionAnswer reading = read_completion(answer.body, task.request, dialect_, complete);
  const bool same_weights = checks.model_is_version || weights_.holds(task.epoch);
  lock.lock();
  if (reading.fault == Fault::OtherWeights) {
    restore(task, lock, reading.reason);
    return !note_trouble(task, "other weights", reading.reason);
  }
  if (reading.fault != Fault::None) return !note_trouble(task, "unusable answer", reading.reason);
  if (!same_weights)
    return !note_trouble(task, "other weights", "weights were loaded while it was sampled");
  task.answer = std::move(reading);
  task.end = Task::End::Answered;
  return true;
}

void RequestPool::restore(Task& task, Lock& lock, const std::string& details) {
  if (task.repetitions >= static_cast<std::uint32_t>(options_.retries)) return;
  stats_.last_trouble = details;
  lock.unlock();
  weights_.restore(task.request.version, task.epoch);
  lock.lock();
}

// True: it may be repeated.
bool RequestPool::note_trouble(Task& task, const std::string& cause, const std::string& details) {
  stats_.last_trouble = details;
  if (task.repetitions < static_cast<std::uint32_t>(options_.retries)) {
    ++task.repetitions;
    ++stats_.repeated[cause];
    hold_back(task, 0);
    return true;
  }
  task.end = Task::End::Failed;
  return false;
}

// Under the lock.
void RequestPool::come_out(TaskPtr task) {
  ++stats_.requests;
  if (task->end == Task::End::Failed) {
    ++stats_.failed;
    if (++failed_in_a_row_ >= options_.give_up)
      break_off(Error(ErrorKind::Sampler, options_.url,
                      concat(failed_in_a_row_, " requests in a row failed, each after ",
                             options_.retries, " repetitions; the last one: ", stats_.last_trouble),
                      "the run continues from its last checkpoint once the server answers"));
  }
  out_tasks_.push_back(std::move(task));
  out_.notify_all();
}

void RequestPool::break_off(const Error& error) {
  if (!broken_) broken_ = error;
  for (const TaskPtr& task : running_) {
    task->unwanted = true;
    watch_.interrupt(task->exchange);
  }
  queue_.clear();
  changed_.notify_all();
  out_.notify_all();
}

}  // namespace allot::remote
