#include "allot/methods/parts/response_buffer.h"

#include <algorithm>
#include <set>

namespace allot {

std::span<const EarlierResponse> ResponseBuffer::of(PromptId prompt) const {
  const Record* record = of_.find(prompt);
  if (!record) return {};
  return record->responses;
}

void ResponseBuffer::push(PromptId prompt, std::span<const EarlierResponse> fresh, std::size_t cap,
                          TrainBatch& batch) {
  fresh = fresh.last(std::min(cap, fresh.size()));
  if (fresh.empty()) return;
  std::vector<EarlierResponse>& kept = of_[prompt].responses;
  const std::size_t all = kept.size() + fresh.size();
  const auto first_kept = kept.begin() + static_cast<std::ptrdiff_t>(all - std::min(all, cap));
  for (auto old = kept.begin(); old != first_kept; ++old) batch.release.push_back(old->id);
  kept.erase(kept.begin(), first_kept);
  const std::size_t needed = kept.size() + fresh.size(), room = kept.capacity();
  // Never more than a full record takes, and seldom a block per response.
  if (needed > room) kept.reserve(std::min(cap, std::max({needed, kFirstRoom, 2 * room})));
  for (const EarlierResponse& response : fresh) {
    kept.push_back(response);
    batch.hold.push_back(response.id);
  }
}

void ResponseBuffer::forget(std::span<const RolloutId> lost) {
  if (lost.empty()) return;
  const std::set<RolloutId> gone(lost.begin(), lost.end());
  std::vector<PromptId> emptied;
  for (auto& [prompt, record] : of_) {
    std::erase_if(record.responses, [&](const EarlierResponse& r) { return gone.count(r.id) > 0; });
    if (record.responses.empty()) emptied.push_back(prompt);
  }
  for (const PromptId prompt : emptied) of_.erase(prompt);
}

std::size_t ResponseBuffer::size() const {
  std::size_t n = 0;
  for (const auto& [prompt, record] : of_) n += record.responses.size();
  return n;
}

}  // namespace allot
