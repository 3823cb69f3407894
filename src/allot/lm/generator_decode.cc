// Generation on the CPU: worker threads, each decoding up to `slots` sequences together.
//
// Workers take sequences from a shared queue in the order of the requests, so a place is refilled
// as soon as its sequence ends. The worker that takes a request's first sequence runs its prompt,
// together with the other prompts it begins; the others wait for it. The prompt's keys and values
// live until the request's last sequence ended.
// How many threads make a worker: decode_plan.h. A sequence's numbers depend on its own prompt and
// uniforms only, so none of this shows in the results.
#include <algorithm>
#include <thread>

#include "allot/lm/decode_plan.h"
#include "allot/lm/decode_weights.h"
#include "allot/lm/generator_backend.h"
#include "allot/lm/generator_queue.h"
#include "allot/lm/kernels/decode_net.h"
#include "allot/lm/kernels/decode_sampler.h"
#include "allot/lm/team.h"

namespace allot::lm {
namespace {

using namespace kernels;

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
  SampledToken<T> drawn;

  // Draws the next token, in any thread.
  void draw(const T* logits, int vocab, SamplerScratch<T>& scratch) {
    drawn =
        sample_token(logits, vocab, settings, uniforms.uniform_at(sequence.tokens.size()), scratch);
  }
  // Adds the drawn token; true if it was the last.
  bool append() {
    const GenerationRequest& request = open->request;
    const std::size_t t = sequence.tokens.size();
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

// What all workers of a run are given.
template <class W>
struct Shared {
  const ModelConfig& config;
  const DecodeNet<W>& net;
  WaitingQueue<Real<W>>& queue;
  Outbox& outbox;
  const std::atomic<bool>& stopped;
  const std::atomic<bool>* stop;  // may be null
  DecodePlan plan;
  int longest;                   // new tokens of a sequence
  GenerationProgress* progress;  // may be null
  int worker;                    // number of this one

  bool must_stop() const {
    return stopped.load(std::memory_order_relaxed) ||
           (stop && stop->load(std::memory_order_relaxed));
  }
};

template <class W>
class Worker {
 public:
  using T = Real<W>;

  explicit Worker(const Shared<W>& shared)
      : shared_(shared),
        team_(shared.plan.members),
        scratch_(shared.config, shared.plan.rows(), shared.plan.slots, shared.plan.members),
        samplers_(shared.plan.members) {}

  // Until the queue is empty and all its sequences ended, or a stop.
  GenerationCost run() {
    while (!shared_.must_stop()) {
      if (!refill() || running_.empty()) break;
      note_progress();
      step();
    }
    if (shared_.progress) shared_.progress->note(shared_.worker, 0);
    for (const Running<T>& dropped : running_) cost_.generated += dropped.sequence.tokens.size();
    return cost_;
  }

 private:
  void note_progress() const {
    if (!shared_.progress) return;
    std::size_t longest = 0;
    for (const Running<T>& running : running_)
      longest = std::max(longest, running.sequence.tokens.size());
    shared_.progress->note(shared_.worker, longest);
  }

  // Fills the free places. A sequence that ends with its first token takes none. False where a
  // prompt failed in another worker, which stops all.
  bool refill() {
    while (!shared_.must_stop()) {
      const auto tickets = shared_.queue.take(shared_.plan.slots - running_.size());
      if (tickets.empty()) break;
      prefill(tickets);
      for (const Ticket<T>& ticket : tickets) {
        if (!ticket.open->wait()) return false;
      }
      const std::size_t first = running_.size();
      for (const Ticket<T>& ticket : tickets) running_.emplace_back(ticket, free_cache());
      team_.run([&](const TeamMember& member) {
        for (std::size_t r = first + member.index; r < running_.size(); r += member.count) {
          Running<T>& sequence = running_[r];
          sequence.draw(sequence.open->logits.data(), shared_.config.vocab,
                        samplers_[member.index]);
          sequence.open->first_token_drawn();
        }
      });
      append_from(first);
    }
    return true;
  }

  // Runs the prompts that nobody has claimed yet, many rows at a time.
  void prefill(const std::vector<Ticket<T>>& tickets) {
    struct Claims {  // also where an error leaves them unfinished
      std::vector<OpenRequest<T>*> open;
      std::size_t ready = 0;
      ~Claims() {
        for (; ready < open.size(); ++ready) open[ready]->settle(false);
      }
    } claims;
    for (const Ticket<T>& ticket : tickets) {
      if (ticket.open->claim()) claims.open.push_back(ticket.open.get());
    }
    rows_.clear();
    last_.clear();
    const auto flush = [&] {
      run_rows([](const T*, const TeamMember&) {});
      for (std::size_t i = 0; i < last_.size(); ++i) {
        const T* logits = scratch_.logits.data() + i * scratch_.vocab_stride;
        OpenRequest<T>& open = *claims.open[claims.ready];
        open.logits.assign(logits, logits + shared_.config.vocab);
        open.settle(true);
        ++claims.ready;
      }
      rows_.clear();
      last_.clear();
    };
    for (OpenRequest<T>* open : claims.open) {
      const auto& prompt = open->request.prompt;
      const int length = static_cast<int>(prompt.size());
      open->cache = std::make_unique<KeyValueCache<T>>(shared_.config, length);
      for (int i = 0; i < length; ++i) {
        if (static_cast<int>(rows_.size()) == scratch_.rows) flush();
        rows_.push_back({prompt[i], nullptr, 0, open->cache.get(), i});
      }
      last_.push_back(static_cast<int>(rows_.size()) - 1);
      cost_.prefilled += prompt.size();
    }
    if (!rows_.empty()) flush();
  }

  // One token for every running sequence.
  void step() {
    rows_.clear();
    last_.clear();
    for (Running<T>& r : running_) {
      last_.push_back(static_cast<int>(rows_.size()));
      rows_.push_back({r.sequence.tokens.back(), r.open->cache.get(),
                       static_cast<int>(r.open->request.prompt.size()), r.cache,
                       static_cast<int>(r.sequence.tokens.size()) - 1});
    }
    run_rows([&](const T* logits, const TeamMember& member) {
      for (std::size_t r = member.index; r < running_.size(); r += member.count) {
        running_[r].draw(logits + r * scratch_.vocab_stride, shared_.config.vocab,
                         samplers_[member.index]);
      }
    });
    append_from(0);
  }

  // The net over rows_; then `use` with the logits of last_.
  template <class Use>
  void run_rows(const Use& use) {
    team_.run([&](const TeamMember& member) {
      shared_.net.forward(rows_, scratch_, member);
      if (!last_.empty()) use(shared_.net.logits(last_, scratch_, member), member);
    });
  }

  // Adds the tokens drawn for running_[first ..); sequences that ended leave.
  void append_from(std::size_t first) {
    std::size_t kept = first;
    for (std::size_t r = first; r < running_.size(); ++r) {
      if (running_[r].append()) {
        end(running_[r]);
      } else {
        if (kept != r) running_[kept] = std::move(running_[r]);
        ++kept;
      }
    }
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(kept), running_.end());
    shared_.outbox.put(ended_);
  }

  void end(Running<T>& sequence) {
    cost_.generated += sequence.sequence.tokens.size();
    free_.push_back(sequence.cache);
    sequence.open.reset();
    ended_.push_back(std::move(sequence.sequence));
  }

  KeyValueCache<T>* free_cache() {
    if (free_.empty()) {
      caches_.push_back(std::make_unique<KeyValueCache<T>>(shared_.config, shared_.longest));
      free_.push_back(caches_.back().get());
    }
    KeyValueCache<T>* cache = free_.back();
    free_.pop_back();
    return cache;
  }

  const Shared<W> shared_;
  Team team_;
  DecodeScratch<W> scratch_;
  std::vector<SamplerScratch<T>> samplers_;  // of the members
  std::vector<std::unique_ptr<KeyValueCache<T>>> caches_;
  std::vector<KeyValueCache<T>*> free_;
  std::vector<Running<T>> running_;
  std::vector<DecodeRow<T>> rows_;  // of the next call of the net
  std::vector<int> last_;           // the ones whose logits are wanted
  std::vector<GeneratedSequence> ended_;
  GenerationCost cost_;
};

template <class W>
class DecodeBackend final : public GeneratorBackend {
 public:
  DecodeBackend(const Model& model, GeneratorOptions options) : model_(model), options_(options) {}

  GenerationCost run(const std::vector<GenerationRequest>& requests,
                     const std::function<bool(GeneratedSequence&&)>& finished,
                     const std::atomic<bool>* stop) override {
    if (!net_) net_ = make_decode_net(model_.config(), weight_pointers<W>(model_));
    std::uint64_t sequences = 0;
    std::uint32_t longest = 1;
    for (const GenerationRequest& request : requests) {
      sequences += request.n;
      longest = std::max(longest, request.max_new);
    }
    const DecodePlan plan = plan_decoding(options_, sequences, net_->bytes());

    WaitingQueue<Real<W>> queue(requests);
    Outbox outbox(plan.workers);
    std::atomic<bool> stopped{false};
    {
      std::vector<std::jthread> pool;
      // Declared after the threads: leaving the block by an exception stops them, then joins.
      const struct Stopper {
        std::atomic<bool>& flag;
        ~Stopper() { flag = true; }
      } stopper{stopped};
      for (int w = 0; w < plan.workers; ++w) {
        pool.emplace_back([&, w] {
          std::exception_ptr error;
          GenerationCost cost;
          try {
            Worker<W> worker({model_.config(), *net_, queue, outbox, stopped, stop, plan,
                              static_cast<int>(longest), options_.progress.get(), w});
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
  std::unique_ptr<DecodeNet<W>> net_;
};

}  // namespace

std::unique_ptr<GeneratorBackend> make_decode_backend(const Model& model,
                                                      GeneratorOptions options) {
  if (model.dtype() == at::kBFloat16) return std::make_unique<DecodeBackend<Bf16>>(model, options);
  if (model.dtype() == at::kDouble) return std::make_unique<DecodeBackend<double>>(model, options);
  return std::make_unique<DecodeBackend<float>>(model, options);
}

}  // namespace allot::lm
