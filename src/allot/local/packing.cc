#include "allot/local/packing.h"

#include <algorithm>
#include <numeric>

#include "allot/core/error.h"

namespace allot {
namespace {

// The responses [first, first + count) of one group.
struct Piece {
  const PackGroup* group = nullptr;
  std::size_t first = 0, count = 0;
  std::int64_t rows = 0;
};

std::int64_t rows_of(const Piece& piece) {
  auto rows = static_cast<std::int64_t>(piece.group->prompt.size());
  for (std::size_t i = 0; i < piece.count; ++i)
    rows += static_cast<std::int64_t>(piece.group->responses[piece.first + i].size()) - 1;
  return rows;
}

// `piece` in parts of at most `limit` rows, as far as single responses allow.
void cut_by_rows(Piece piece, std::int64_t limit, std::vector<Piece>& out) {
  Piece part{piece.group, piece.first, 0, 0};
  for (std::size_t i = 0; i < piece.count; ++i) {
    Piece longer = part;
    ++longer.count;
    longer.rows = rows_of(longer);
    if (part.count > 0 && longer.rows > limit) {
      out.push_back(part);
      longer = {piece.group, piece.first + i, 1, 0};
      longer.rows = rows_of(longer);
    }
    part = longer;
  }
  out.push_back(part);
}

std::vector<Piece> pieces_of(std::span<const PackGroup> groups, std::size_t largest,
                             std::int64_t most_rows) {
  std::vector<Piece> pieces;
  for (const PackGroup& group : groups) {
    const std::size_t n = group.responses.size();
    if (group.prompt.empty() || group.item.size() != n ||
        std::any_of(group.responses.begin(), group.responses.end(),
                    [](Tokens response) { return response.empty(); }))
      throw Error(ErrorKind::Internal, "packing",
                  "a group needs a prompt, and every response tokens and a number");
    const std::size_t parts = (n + largest - 1) / largest;
    for (std::size_t p = 0; p < parts; ++p) {
      Piece piece{&group, n * p / parts, n * (p + 1) / parts - n * p / parts, 0};
      piece.rows = rows_of(piece);
      if (most_rows > 0 && piece.rows > most_rows)
        cut_by_rows(piece, most_rows, pieces);
      else
        pieces.push_back(piece);
    }
  }
  return pieces;
}

// Shard of each piece: longest first to the emptiest shard, ties to the first of both.
std::vector<int> deal(const std::vector<Piece>& pieces, int shards) {
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return pieces[a].rows > pieces[b].rows; });
  std::vector<std::int64_t> load(static_cast<std::size_t>(shards), 0);
  std::vector<int> shard(pieces.size());
  for (const std::size_t i : order) {
    const auto emptiest = std::min_element(load.begin(), load.end());
    *emptiest += pieces[i].rows;
    shard[i] = static_cast<int>(emptiest - load.begin());
  }
  return shard;
}

lm::Segment append(lm::PackedRows& rows, Tokens tokens, const lm::Segment& prefix) {
  lm::Segment segment;
  segment.start = static_cast<std::int32_t>(rows.tokens.size());
  segment.length = static_cast<std::int32_t>(tokens.size());
  segment.prefix_start = prefix.start;
  segment.prefix_length = prefix.length;
  rows.tokens.insert(rows.tokens.end(), tokens.begin(), tokens.end());
  for (std::int32_t i = 0; i < segment.length; ++i) rows.positions.push_back(prefix.length + i);
  rows.segments.push_back(segment);
  return segment;
}

void append(MicroBatch& batch, const Piece& piece) {
  lm::PackedRows& rows = batch.rows;
  const lm::Segment prompt = append(rows, piece.group->prompt, {});
  for (std::size_t i = piece.first; i < piece.first + piece.count; ++i) {
    const Tokens response = piece.group->responses[i];
    rows.target_row.push_back(prompt.start + prompt.length - 1);
    rows.target_token.push_back(response[0]);
    if (response.size() > 1) {
      const lm::Segment segment = append(rows, response.first(response.size() - 1), prompt);
      for (std::int32_t t = 0; t < segment.length; ++t) {
        rows.target_row.push_back(segment.start + t);
        rows.target_token.push_back(response[static_cast<std::size_t>(t) + 1]);
      }
    }
    batch.items.push_back(piece.group->item[i]);
    batch.first_target.push_back(static_cast<std::uint32_t>(rows.target_token.size()));
  }
}

}  // namespace

std::vector<std::vector<MicroBatch>> pack(std::span<const PackGroup> groups,
                                          const PackSettings& settings) {
  const auto largest = static_cast<std::size_t>(std::max(1, settings.micro_rollouts));
  const std::vector<Piece> pieces = pieces_of(groups, largest, settings.micro_tokens);
  const std::vector<int> shard = deal(pieces, std::max(1, settings.shards));
  std::vector<std::vector<MicroBatch>> out(static_cast<std::size_t>(std::max(1, settings.shards)));
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::vector<MicroBatch>& batches = out[static_cast<std::size_t>(shard[i])];
    const auto is_full = [&](const MicroBatch& batch) {
      const auto rows = static_cast<std::int64_t>(batch.rows.tokens.size()) + pieces[i].rows;
      return batch.items.size() + pieces[i].count > largest ||
             (settings.micro_tokens > 0 && rows > settings.micro_tokens);
    };
    if (batches.empty() || is_full(batches.back())) {
      batches.emplace_back();
      batches.back().first_target.push_back(0);
    }
    append(batches.back(), pieces[i]);
  }
  return out;
}

}  // namespace allot
