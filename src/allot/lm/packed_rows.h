// The layout of training rows: no padding, prompts shared.
//
// Rows of all sequences lie one after the other. A segment is a run of rows that attend causally to
// themselves and, before that, to all rows of an earlier segment, its prefix. A prompt that several
// responses share is one segment without a prefix; each response is a segment with that prefix.
// The last row of a prompt predicts the first token of each of its responses.
#pragma once

#include <cstdint>
#include <vector>

namespace allot::lm {

struct Segment {
  std::int32_t start = 0, length = 0;                // rows [start, start + length), length >= 1
  std::int32_t prefix_start = 0, prefix_length = 0;  // rows of the prefix; length 0 = none
};

struct PackedRows {
  std::vector<std::int32_t> tokens;     // [rows]
  std::vector<std::int32_t> positions;  // [rows] for RoPE: prefix_length + index in the segment
  std::vector<Segment> segments;        // prefixes before the segments that use them

  // Which rows predict what: target i is predicted by row `row[i]` (several may share a row).
  std::vector<std::int32_t> target_row, target_token;  // [targets]

  std::int64_t rows() const { return static_cast<std::int64_t>(tokens.size()); }
  std::int64_t targets() const { return static_cast<std::int64_t>(target_token.size()); }
};

// Matrix products are compiled for their shape, which takes as long as a small product itself. In
// steps of so many rows shapes come again and are taken from the library's caches.
constexpr std::int64_t kRowStep = 64;

inline std::int64_t in_row_steps(std::int64_t rows) {
  return (rows + kRowStep - 1) / kRowStep * kRowStep;
}

}  // namespace allot::lm
