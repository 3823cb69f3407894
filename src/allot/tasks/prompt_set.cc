#include "allot/tasks/prompt_set.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/core/state.h"

namespace allot {
namespace {

constexpr const char* kStateName = "prompt_set";
constexpr std::uint32_t kStateVersion = 1;

// Fisher-Yates from the front, one place at a time, so that a long order costs only what is drawn.
void shuffle_place(std::vector<std::uint32_t>& order, std::size_t place, RandomStream& random) {
  std::swap(order[place], order[place + random.below(order.size() - place)]);
}

std::vector<std::uint32_t> identity_order(std::size_t size) {
  std::vector<std::uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

std::vector<std::uint32_t> order_of_epoch(std::size_t size, std::uint64_t seed,
                                          std::uint32_t epoch) {
  std::vector<std::uint32_t> order = identity_order(size);
  RandomStream random({seed, RandomUse::Data, epoch, 0, 0});
  random.shuffle(std::span(order));
  return order;
}

// Order-independent, because addition is; the count is absorbed at the end.
std::uint64_t hash_of(const PromptList& prompts) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < prompts.size(); ++i) sum += prompts.answer_hash(i);
  return hash_bytes(concat(sum, " ", prompts.size()));
}

}  // namespace

struct PromptSet::Cursor {
  // An id that was set aside at the end of an epoch.
  struct Deferred {
    std::uint32_t position = 0, epoch = 0;
    template <class V>
    void state(V& v) {
      v(position);
      v(epoch);
    }
  };
  std::uint64_t hash = 0, seed = 0;  // what the rest is about
  std::uint64_t step = 0;
  std::uint32_t epoch = 0;         // of the stream
  std::uint64_t drawn = 0;         // of this epoch
  std::vector<Deferred> deferred;  // in order
  std::vector<PromptId> shown;     // in this step, in order
  std::uint64_t step_drawn = 0;    // of this step's keyed order

  template <class V>
  void state(V& v) {
    v(hash);
    v(seed);
    v(step);
    v(epoch);
    v(drawn);
    v(deferred);
    v(shown);
    v(step_drawn);
  }
};

PromptSet::PromptSet(PromptList prompts, std::uint64_t seed)
    : list_(std::move(prompts)), seed_(seed), cursor_(std::make_unique<Cursor>()) {
  if (list_.empty())
    throw Error(ErrorKind::Data, "prompts", "no prompts were given; at least one is needed");
  if (list_.size() >= std::uint64_t{1} << 32)
    throw Error(ErrorKind::Data, "prompts", "more than 2^32 - 1 prompts were given");
  if (list_.is_streamed()) here_ = std::make_unique<PromptCache>();
  ids_.reserve(size());
  for (std::size_t i = 0; i < size(); ++i) {
    ids_.push_back(list_.id(i));
    if (ids_.back() >> 63)
      throw Error(ErrorKind::Data, "prompts",
                  concat("prompt '", list_.read(i).key, "' has the id ", ids_.back(),
                         "; an id below 2^63 is needed"));
  }
  places_ = identity_order(size());
  std::sort(places_.begin(), places_.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(ids_[a], a) < std::pair(ids_[b], b);
  });
  sorted_.reserve(size());
  bool stated = false;
  for (const std::uint32_t place : places_) {
    sorted_.push_back(ids_[place]);
    stated = stated || list_.prior_pass_rate(place).has_value();
  }
  refuse_repeated_ids();
  if (stated)
    for (const std::uint32_t place : places_) rates_.push_back(list_.prior_pass_rate(place));
  hash_ = hash_of(list_);
  cursor_->hash = hash_;
  cursor_->seed = seed_;
  epoch_order_ = order_of_epoch(size(), seed_, 0);
  restart_uniform();
}

// Names the first prompt, as given, whose id an earlier one has.
void PromptSet::refuse_repeated_ids() const {
  std::optional<std::size_t> first;  // position of that prompt; the one before has its id
  for (std::size_t i = 1; i < size(); ++i)
    if (sorted_[i] == sorted_[i - 1] && (!first || places_[i] < places_[*first])) first = i;
  if (!first) return;
  throw Error(ErrorKind::Data, "prompts",
              concat("prompts '", list_.read(places_[*first - 1]).key, "' and '",
                     list_.read(places_[*first]).key, "' have the same id ", sorted_[*first],
                     "; distinct ids are needed"));
}

std::optional<std::uint32_t> PromptSet::place_of(PromptId id) const {
  const auto found = std::lower_bound(sorted_.begin(), sorted_.end(), id);
  if (found == sorted_.end() || *found != id) return std::nullopt;
  return places_[static_cast<std::size_t>(found - sorted_.begin())];
}

PromptSet::~PromptSet() = default;

const Prompt& PromptSet::get(PromptId id) const {
  const std::optional<std::uint32_t> place = place_of(id);
  if (!place)
    throw Error(ErrorKind::Data, "prompts", concat("there is no prompt with the id ", id));
  if (!here_) return list_.held()[*place];
  return here_->get(*place, [&] { return list_.read(*place); });
}

void PromptSet::begin_step(std::uint64_t step) {
  if (here_) here_->begin_step();
  cursor_->step = step;
  cursor_->shown.clear();
  cursor_->step_drawn = 0;
  shown_.clear();
  restart_uniform();
}

std::span<const PromptRef> PromptSet::candidates(std::size_t wanted, Draw draw) {
  answer_.clear();
  const std::size_t unshown = size() - shown_.size();
  const std::size_t count = draw == Draw::Pool ? size() : std::min(wanted, unshown);
  if (draw == Draw::Pool)
    for (std::size_t i = 0; i < size(); ++i)
      answer_.push_back(ref(static_cast<std::uint32_t>(i), cursor_->epoch));
  if (draw == Draw::Stream) stream(count);
  if (draw == Draw::Uniform) {
    while (answer_.size() < count) {
      const std::uint32_t position = next_of_step();
      if (!shown_.contains(sorted_[position])) show(position, cursor_->epoch);
    }
  }
  if (dimensions_ > 0)
    for (PromptRef& ref : answer_)
      ref.embedding = std::span(embeddings_).subspan(*place_of(ref.id) * dimensions_, dimensions_);
  return answer_;
}

void PromptSet::embed(const std::vector<std::vector<float>>& vectors) {
  const auto refuse = [](std::string_view what) {
    throw Error(ErrorKind::Data, "prompts.embed", what);
  };
  if (vectors.size() != size())
    refuse(concat(vectors.size(), " embeddings were given for ", size(), " prompts"));
  const std::size_t dimensions = vectors[0].size();
  std::vector<float> all;
  for (const std::vector<float>& vector : vectors) {
    if (vector.empty() || vector.size() != dimensions)
      refuse(concat("an embedding has ", vector.size(), " numbers and the first one ", dimensions,
                    "; the same size above 0 is needed"));
    for (const float x : vector)
      if (!std::isfinite(x)) refuse("an embedding holds NaN or an infinite number");
    all.insert(all.end(), vector.begin(), vector.end());
  }
  embeddings_ = std::move(all);
  dimensions_ = dimensions;
  answer_.clear();
}

// Terminates because every id that is not shown yet is set aside or lies ahead within one epoch.
void PromptSet::stream(std::size_t count) {
  std::vector<Cursor::Deferred> waiting = std::exchange(cursor_->deferred, {});
  for (const Cursor::Deferred& item : waiting) {
    if (answer_.size() < count && !shown_.contains(sorted_[item.position])) {
      show(item.position, item.epoch);
    } else {
      cursor_->deferred.push_back(item);
    }
  }
  while (answer_.size() < count) {
    const std::uint32_t position = next_of_epoch();
    if (shown_.contains(sorted_[position])) {
      cursor_->deferred.push_back({position, cursor_->epoch});
    } else {
      show(position, cursor_->epoch);
    }
  }
}

std::uint32_t PromptSet::next_of_epoch() {
  if (cursor_->drawn == size()) {
    cursor_->drawn = 0;
    epoch_order_ = order_of_epoch(size(), seed_, ++cursor_->epoch);
  }
  return epoch_order_[cursor_->drawn++];
}

std::uint32_t PromptSet::next_of_step() {
  const std::size_t place = cursor_->step_drawn++;
  shuffle_place(step_order_, place, *step_random_);
  return step_order_[place];
}

PromptRef PromptSet::ref(std::uint32_t position, std::uint32_t epoch) const {
  PromptRef ref{sorted_[position], epoch};
  if (!rates_.empty()) ref.prior_pass_rate = rates_[position];
  return ref;
}

void PromptSet::show(std::uint32_t position, std::uint32_t epoch) {
  const PromptId id = sorted_[position];
  answer_.push_back(ref(position, epoch));
  cursor_->shown.push_back(id);
  shown_.insert(id);
}

void PromptSet::restart_uniform() {
  step_order_ = identity_order(size());
  step_random_.emplace(RandomKey{seed_, RandomUse::Data, cursor_->step, 0, 1});
  for (std::size_t place = 0; place < cursor_->step_drawn; ++place)
    shuffle_place(step_order_, place, *step_random_);
}

std::string PromptSet::save() const { return save_state(kStateName, kStateVersion, *cursor_); }

void PromptSet::load(std::string_view state) {
  auto loaded = std::make_unique<Cursor>();
  load_state(kStateName, kStateVersion, state, *loaded);
  const auto refuse = [](std::string_view what) {
    throw Error(ErrorKind::Model, "prompts.load", what);
  };
  if (loaded->hash != hash_)
    refuse("the saved cursor belongs to another data set; the same prompts and answers are needed");
  if (loaded->seed != seed_)
    refuse(concat("the saved cursor belongs to seed ", loaded->seed, ", not to ", seed_));
  bool sound = loaded->drawn <= size() && loaded->step_drawn <= size();
  for (const Cursor::Deferred& item : loaded->deferred) sound = sound && item.position < size();
  std::unordered_set<PromptId> shown(loaded->shown.begin(), loaded->shown.end());
  for (const PromptId id : shown) sound = sound && place_of(id).has_value();
  sound = sound && shown.size() == loaded->shown.size();
  if (sound) {  // what the keyed order has given out must be shown, or it could run out of ids
    std::swap(cursor_, loaded);
    restart_uniform();
    for (std::size_t place = 0; place < cursor_->step_drawn; ++place)
      sound = sound && shown.contains(sorted_[step_order_[place]]);
    if (!sound) {
      std::swap(cursor_, loaded);
      restart_uniform();
    }
  }
  if (!sound) refuse("the saved cursor is damaged: it does not fit the data set");
  shown_ = std::move(shown);
  epoch_order_ = order_of_epoch(size(), seed_, cursor_->epoch);
  answer_.clear();
}

}  // namespace allot
