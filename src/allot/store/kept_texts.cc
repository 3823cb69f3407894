#include "allot/store/kept_texts.h"

#include <algorithm>

namespace allot {

std::vector<std::size_t> kept_texts(std::span<const std::size_t> kinds, std::size_t count) {
  std::vector<std::vector<std::size_t>> of_kind;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] >= of_kind.size()) of_kind.resize(kinds[i] + 1);
    of_kind[kinds[i]].push_back(i);
  }
  std::vector<std::size_t> quota(of_kind.size());
  for (std::size_t left = std::min(count, kinds.size()); left > 0;) {
    for (std::size_t kind = 0; kind < quota.size() && left > 0; ++kind) {
      if (quota[kind] == of_kind[kind].size()) continue;
      ++quota[kind];
      --left;
    }
  }
  std::vector<std::size_t> kept;
  for (std::size_t kind = 0; kind < quota.size(); ++kind)
    for (std::size_t k = 0; k < quota[kind]; ++k)
      kept.push_back(of_kind[kind][(2 * k + 1) * of_kind[kind].size() / (2 * quota[kind])]);
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace allot
