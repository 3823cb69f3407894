// Responses to be trained on, laid out as packed rows and dealt out to shards.
//
// A group (responses to one prompt) stays whole, with its prompt computed once, unless it has more
// than `micro_rollouts` responses: then it is cut into even pieces, each with the prompt again, and
// further where a piece has more than `micro_tokens` rows and more than one response. A
// response of n tokens takes n - 1 rows: its first token is predicted by the prompt's last row, and
// its last token predicts nothing.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "allot/lm/packed_rows.h"

namespace allot {

using Tokens = std::span<const std::int32_t>;

// A prompt and some of its responses. Not owning.
struct PackGroup {
  Tokens prompt;                    // at least one token
  std::vector<Tokens> responses;    // at least one token each
  std::vector<std::uint32_t> item;  // the caller's number of each response
};

// Rows that are computed together.
struct MicroBatch {
  lm::PackedRows rows;
  std::vector<std::uint32_t> items;         // the caller's numbers, in the order of targets
  std::vector<std::uint32_t> first_target;  // [items + 1]; targets of items[i] in order of tokens
};

struct PackSettings {
  int micro_rollouts = 32;  // most responses of a micro-batch
  int shards = 1;
  // Most rows of a micro-batch; one response with its prompt may have more. 0: no limit.
  std::int64_t micro_tokens = 0;
};

// Micro-batches of each shard; always `shards` lists, some perhaps empty. Groups go whole, or in
// their pieces, to the shard with the fewest rows so far, the longest first. A pure function.
std::vector<std::vector<MicroBatch>> pack(std::span<const PackGroup> groups,
                                          const PackSettings& settings);

}  // namespace allot
