// Generation on the CPU: worker threads, each decoding up to `slots` sequences together.
//
// Workers take sequences one by one from a shared queue in the order of the requests, so a place is
// refilled as soon as its sequence ends. The first worker that takes a sequence of a request runs
// its prompt; the others wait for it. The prompt's keys and values live until the request's last
// sequence ended. A sequence's numbers depend on its own prompt and uniforms only, so none of this
// shows in the results.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "allot/lm/decode_weights.h"
#include "allot/lm/generator_backend.h"
#include "allot/lm/kernels/decode_net.h"
#include "allot/lm/kernels/decode_sampler.h"

namespace allot::lm {
namespace {

using namespace kernels;

// A request whose sequences have begun.
template <class T>
struct OpenRequest {
  explicit OpenRequest(const GenerationRequest& request) : request(request) {}

  const GenerationRequest& request;
  std::once_flag prefilled;
  std::unique_ptr<KeyValueCache<T>> cache;  // of the prompt
  std::vector<T> logits;                    // [vocab] after the prompt: of every first token
};

// One sequence that waits or runs.
template <class T>
struct Ticket {
  std::shared_ptr<OpenRequest<T>> open;
  std::uint32_t index = 0;  // in the request
};

// The sequences not yet begun. Thread-safe.
template <class T>
class WaitingQueue {
 public:
  explicit WaitingQueue(const std::vector<GenerationRequest>& requests) : requests_(requests) {}

  bool take(Ticket<T>& ticket) {
    const std::lock_guard lock(mutex_);
    while (next_ < requests_.size() && index_ >= requests_[next_].n) {
      ++next_;
      index_ = 0;
      open_.reset();
    }
    if (next_ == requests_.size()) return false;
    if (!open_) open_ = std::make_shared<OpenRequest<T>>(requests_[next_]);
    ticket = {open_, index_++};
    if (index_ == requests_[next_].n) open_.reset();
    return true;
  }

 private:
  std::mutex mutex_;
  const std::vector<GenerationRequest>& requests_;
  std::size_t next_ = 0;
  std::uint32_t index_ = 0;
  std::shared_ptr<OpenRequest<T>> open_;
};

// What workers hand to the calling thread.
class Outbox {
 public:
  explicit Outbox(int workers) : working_(workers) {}

  void put(std::vector<GeneratedSequence>& sequences) {
    if (sequences.empty()) return;
    {
      const std::lock_guard lock(mutex_);
      std::move(sequences.begin(), sequences.end(), std::back_inserter(ready_));
    }
    changed_.notify_one();
    sequences.clear();
  }
  void worker_ended(std::exception_ptr error, const GenerationCost& cost) {
    {
      const std::lock_guard lock(mutex_);
      --working_;
      if (error && !error_) error_ = error;
      cost_.prefilled += cost.prefilled;
      cost_.generated += cost.generated;
    }
    changed_.notify_one();
  }
  // The next finished sequences; false when all workers ended and nothing is left.
  bool take(std::deque<GeneratedSequence>& sequences) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty() || working_ == 0; });
    sequences = std::exchange(ready_, {});
    return !sequences.empty();
  }
  // After the workers ended.
  std::exception_ptr error() const { return error_; }
  GenerationCost cost() const { return cost_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<GeneratedSequence> ready_;
  int working_;
  std::exception_ptr error_;
  GenerationCost cost_;
};

SamplerSettings settings_of(const GenerationRequest& request) {
  return {request.temperature, request.top_p, request.min_p, request.top_k};
}

RandomStream stream_of(const GenerationRequest& request, std::uint32_t index) {
  RandomKey key = request.random;
  key.seq += index;
  return RandomStream(key);
}

// A sequence in its place.
template <class T>
struct Running {
  Running(Ticket<T> ticket, KeyValueCache<T>* cache)
      : open(std::move(ticket.open)),
        settings(settings_of(open->request)),
        uniforms(stream_of(open->request, ticket.index)),
        cache(cache) {
    sequence.id = open->request.id + ticket.index;
    sequence.tokens.reserve(open->request.max_new);
    sequence.logprob.reserve(open->request.max_new);
  }

  std::shared_ptr<OpenRequest<T>> open;
  SamplerSettings settings;
  RandomStream uniforms;
  KeyValueCache<T>* cache;
  GeneratedSequence sequence;
  double entropy = 0;  // sum over the tokens

  // Draws the next token; true if it was the last.
  bool append(const T* logits, int vocab, SamplerScratch<T>& scratch) {
    const GenerationRequest& request = open->request;
    const std::size_t t = sequence.tokens.size();
    const SampledToken<T> drawn =
        sample_token(logits, vocab, settings, uniforms.uniform_at(t), scratch);
    if (!drawn.finite) throw_not_finite(sequence.id, t);
    sequence.tokens.push_back(drawn.token);
    sequence.logprob.push_back(static_cast<float>(drawn.logprob));
    entropy += drawn.entropy;
    const bool stopped = std::find(request.stop_tokens.begin(), request.stop_tokens.end(),
                                   drawn.token) != request.stop_tokens.end();
    sequence.truncated = !stopped && t + 1 == request.max_new;
    if (!stopped && !sequence.truncated) return false;
    sequence.mean_entropy = static_cast<float>(entropy / static_cast<double>(t + 1));
    return true;
  }
};

template <class T>
class Worker {
 public:
  Worker(const ModelConfig& config, const DecodeNet<T>& net, WaitingQueue<T>& queue, Outbox& outbox,
         int slots, int longest, const std::atomic<bool>& stopped, const std::atomic<bool>* stop)
      : config_(config),
        net_(net),
        queue_(queue),
        outbox_(outbox),
        stopped_(stopped),
        stop_(stop),
        slots_(slots),
        longest_(longest),
        scratch_(config, std::max(slots, kPrefillRows)) {}

  // Until the queue is empty and all its sequences ended, or a stop.
  GenerationCost run() {
    while (!must_stop()) {
      refill();
      if (running_.empty()) break;
      step();
    }
    for (const Running<T>& dropped : running_) cost_.generated += dropped.sequence.tokens.size();
    return cost_;
  }

 private:
  static constexpr int kPrefillRows = 64;

  bool must_stop() const {
    return stopped_.load(std::memory_order_relaxed) ||
           (stop_ && stop_->load(std::memory_order_relaxed));
  }

  // Fills the free places. A sequence that ends with its first token takes none.
  void refill() {
    Ticket<T> ticket;
    while (static_cast<int>(running_.size()) < slots_ && !must_stop() && queue_.take(ticket)) {
      OpenRequest<T>& open = *ticket.open;
      std::call_once(open.prefilled, [&] { prefill(open); });
      Running<T> next(std::move(ticket), free_cache());
      if (next.append(open.logits.data(), config_.vocab, sampler_)) {
        end(next);
      } else {
        running_.push_back(std::move(next));
      }
    }
    outbox_.put(ended_);
  }

  void prefill(OpenRequest<T>& open) {
    const auto& prompt = open.request.prompt;
    const int length = static_cast<int>(prompt.size());
    open.cache = std::make_unique<KeyValueCache<T>>(config_, length);
    for (int first = 0; first < length; first += kPrefillRows) {
      const int count = std::min(kPrefillRows, length - first);
      rows_.clear();
      for (int i = first; i < first + count; ++i) {
        rows_.push_back({prompt[i], nullptr, 0, open.cache.get(), i});
      }
      net_.forward(rows_, scratch_);
      if (first + count == length) {
        const T* logits = net_.logits(count - 1, 1, scratch_);
        open.logits.assign(logits, logits + config_.vocab);
      }
    }
    cost_.prefilled += prompt.size();
  }

  // One token for every running sequence.
  void step() {
    rows_.clear();
    for (Running<T>& r : running_) {
      rows_.push_back({r.sequence.tokens.back(), r.open->cache.get(),
                       static_cast<int>(r.open->request.prompt.size()), r.cache,
                       static_cast<int>(r.sequence.tokens.size()) - 1});
    }
    net_.forward(rows_, scratch_);
    const T* logits = net_.logits(0, static_cast<int>(rows_.size()), scratch_);
    std::size_t kept = 0;
    for (std::size_t r = 0; r < running_.size(); ++r) {
      if (running_[r].append(logits + r * scratch_.vocab_stride, config_.vocab, sampler_)) {
        end(running_[r]);
      } else {
        if (kept != r) running_[kept] = std::move(running_[r]);
        ++kept;
      }
    }
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(kept), running_.end());
    outbox_.put(ended_);
  }

  void end(Running<T>& sequence) {
    cost_.generated += sequence.sequence.tokens.size();
    free_.push_back(sequence.cache);
    sequence.open.reset();
    ended_.push_back(std::move(sequence.sequence));
  }

  KeyValueCache<T>* free_cache() {
    if (free_.empty()) {
      caches_.push_back(std::make_unique<KeyValueCache<T>>(config_, longest_));
      free_.push_back(caches_.back().get());
    }
    KeyValueCache<T>* cache = free_.back();
    free_.pop_back();
    return cache;
  }

  const ModelConfig& config_;
  const DecodeNet<T>& net_;
  WaitingQueue<T>& queue_;
  Outbox& outbox_;
  const std::atomic<bool>& stopped_;
  const std::atomic<bool>* stop_;
  int slots_, longest_;
  DecodeScratch<T> scratch_;
  SamplerScratch<T> sampler_;
  std::vector<std::unique_ptr<KeyValueCache<T>>> caches_;
  std::vector<KeyValueCache<T>*> free_;
  std::vector<Running<T>> running_;
  std::vector<DecodeRow<T>> rows_;
  std::vector<GeneratedSequence> ended_;
  GenerationCost cost_;
};

template <class T>
class DecodeBackend final : public GeneratorBackend {
 public:
  DecodeBackend(const Model& model, GeneratorOptions options) : model_(model), options_(options) {}

  GenerationCost run(const std::vector<GenerationRequest>& requests,
                     const std::function<bool(GeneratedSequence&&)>& finished,
                     const std::atomic<bool>* stop) override {
    if (!net_) net_ = make_decode_net(model_.config(), weight_pointers<T>(model_));
    std::uint64_t sequences = 0;
    std::uint32_t longest = 1;
    for (const GenerationRequest& request : requests) {
      sequences += request.n;
      longest = std::max(longest, request.max_new);
    }
    // Equal shares where there is not enough work to fill all places.
    const auto workers = static_cast<int>(std::min<std::uint64_t>(options_.workers, sequences));
    const auto slots = static_cast<int>(
        std::min<std::uint64_t>(options_.slots, (sequences + workers - 1) / workers));

    WaitingQueue<T> queue(requests);
    Outbox outbox(workers);
    std::atomic<bool> stopped{false};
    {
      std::vector<std::jthread> threads;
      // Declared after the threads: leaving the block by an exception stops them, then joins.
      const struct Stopper {
        std::atomic<bool>& flag;
        ~Stopper() { flag = true; }
      } stopper{stopped};
      for (int w = 0; w < workers; ++w) {
        threads.emplace_back([&] {
          std::exception_ptr error;
          GenerationCost cost;
          try {
            Worker<T> worker(model_.config(), *net_, queue, outbox, slots,
                             static_cast<int>(longest), stopped, stop);
            cost = worker.run();
          } catch (...) {
            error = std::current_exception();
            stopped = true;
          }
          outbox.worker_ended(error, cost);
        });
      }
      std::deque<GeneratedSequence> ready;
      while (outbox.take(ready)) {
        for (GeneratedSequence& sequence : ready) {
          if (!stopped && !finished(std::move(sequence))) stopped = true;
        }
      }
    }
    if (outbox.error()) std::rethrow_exception(outbox.error());
    return outbox.cost();
  }

  void weights_changed() override { net_.reset(); }

 private:
  Model model_;
  GeneratorOptions options_;
  std::unique_ptr<DecodeNet<T>> net_;
};

}  // namespace

std::unique_ptr<GeneratorBackend> make_decode_backend(const Model& model,
                                                      GeneratorOptions options) {
  if (model.dtype() == at::kDouble) return std::make_unique<DecodeBackend<double>>(model, options);
  return std::make_unique<DecodeBackend<float>>(model, options);
}

}  // namespace allot::lm
