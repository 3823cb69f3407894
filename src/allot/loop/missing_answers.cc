#include "allot/loop/missing_answers.h"

#include "allot/core/error.h"
#include "allot/core/utf8.h"

namespace allot {
namespace {

constexpr int kFirstLook = 5;
constexpr double kShare = 0.9;
constexpr std::size_t kShown = 3, kEnd = 160;  // responses, bytes of each

// The end of a response on one line, whole characters.
std::string end_of(const std::string& text) {
  std::size_t begin = text.size() > kEnd ? text.size() - kEnd : 0;
  while (begin < text.size() && !begins_character(text[begin])) ++begin;
  std::string end = begin > 0 ? ".." : "";
  for (const char c : text.substr(begin)) end += c == '\n' || c == '\r' ? ' ' : c;
  return end;
}

}  // namespace

std::optional<Event> MissingAnswers::step(const StepRecord& record) {
  if (left_ == 0) return std::nullopt;
  --left_, ++seen_;
  std::string shown;
  std::size_t count = 0;
  for (const RolloutId id : record.generated) {
    const StoredRollout& stored = record.store.get(id);
    if (stored.score.scoring != Scoring::Scored) continue;
    ++scored_;
    if (stored.score.parsed) continue;
    ++missing_;
    truncated_ += stored.rollout.status == Status::Truncated;
    if (count++ < kShown) shown += concat("\n    ", end_of(stored.rollout.text));
  }
  const bool is_late_enough = seen_ >= kFirstLook || left_ == 0;
  if (!is_late_enough || count == 0 ||
      static_cast<double>(missing_) <= kShare * static_cast<double>(scored_))
    return std::nullopt;
  left_ = 0;
  const char* cause = 2 * truncated_ > missing_
                          ? "most were cut at rollout.max_new_tokens"
                          : "a chat template (data.template), the verifier's gate or profile "
                            "(data.jsonl.verifier), or a stop token may be wrong";
  return Event{Severity::Warning, "no_answers",
               concat(missing_, " of the ", scored_, " responses of the first ", seen_,
                      " steps hold no answer that the verifier can read: ", cause,
                      ". They end with:", shown),
               record.step};
}

}  // namespace allot
