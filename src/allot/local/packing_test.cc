#include "allot/local/packing.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"

namespace allot {
namespace {

struct Source {
  std::vector<std::vector<std::int32_t>> prompts;
  std::vector<std::vector<std::vector<std::int32_t>>> responses;  // by group

  std::vector<PackGroup> groups() const {
    std::vector<PackGroup> out;
    std::uint32_t item = 0;
    for (std::size_t g = 0; g < prompts.size(); ++g) {
      PackGroup group;
      group.prompt = prompts[g];
      for (const auto& response : responses[g]) {
        group.responses.push_back(response);
        group.item.push_back(item++);
      }
      out.push_back(std::move(group));
    }
    return out;
  }
};

Source random_source(std::uint64_t seed, std::size_t groups) {
  RandomStream random({seed, RandomUse::Test});
  const auto text = [&](std::uint64_t longest) {
    std::vector<std::int32_t> tokens(1 + random.below(longest));
    for (auto& token : tokens) token = static_cast<std::int32_t>(random.below(50));
    return tokens;
  };
  Source source;
  for (std::size_t g = 0; g < groups; ++g) {
    source.prompts.push_back(text(7));
    source.responses.emplace_back();
    for (std::uint64_t i = random.below(6); i > 0; --i) source.responses.back().push_back(text(9));
  }
  return source;
}

// The tokens that a row sees, its own last: read off the segments alone.
std::vector<std::int32_t> context_of(const lm::PackedRows& rows, std::int32_t row) {
  for (const lm::Segment& s : rows.segments) {
    if (row < s.start || row >= s.start + s.length) continue;
    const auto begin = rows.tokens.begin();
    std::vector<std::int32_t> seen(begin + s.prefix_start,
                                   begin + s.prefix_start + s.prefix_length);
    seen.insert(seen.end(), begin + s.start, begin + row + 1);
    return seen;
  }
  return {};
}

TEST(Packing, LaysOutOnePromptWithTwoResponses) {
  const std::vector<std::int32_t> prompt = {7, 8}, a = {1, 2, 3}, b = {4};
  const std::vector<PackGroup> groups = {{prompt, {a, b}, {10, 11}}};
  const auto shards = pack(groups, {8, 1});
  ASSERT_EQ(shards.size(), 1u);
  ASSERT_EQ(shards[0].size(), 1u);
  const MicroBatch& batch = shards[0][0];
  EXPECT_EQ(batch.rows.tokens, (std::vector<std::int32_t>{7, 8, 1, 2}));
  EXPECT_EQ(batch.rows.positions, (std::vector<std::int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(batch.rows.target_row, (std::vector<std::int32_t>{1, 2, 3, 1}));
  EXPECT_EQ(batch.rows.target_token, (std::vector<std::int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(batch.rows.segments.size(), 2u);  // a response of one token has no row of its own
  EXPECT_EQ(batch.items, (std::vector<std::uint32_t>{10, 11}));
  EXPECT_EQ(batch.first_target, (std::vector<std::uint32_t>{0, 3, 4}));
}

// Every token of every response is a target once, seen from its own prompt and earlier tokens.
RC_GTEST_PROP(Packing, EveryTokenIsPredictedFromItsOwnPast, ()) {
  const Source source = random_source(*rc::gen::arbitrary<std::uint64_t>(), 9);
  const int micro = *rc::gen::inRange(1, 12), shard_count = *rc::gen::inRange(1, 5);
  const auto groups = source.groups();
  const std::int64_t most_rows = *rc::gen::element(0, 1, 10, 20, 40);
  const auto shards = pack(groups, {micro, shard_count, most_rows});
  RC_ASSERT(shards.size() == static_cast<std::size_t>(shard_count));
  std::map<std::uint32_t, std::pair<Tokens, Tokens>> by_item;
  for (const PackGroup& group : groups)
    for (std::size_t i = 0; i < group.item.size(); ++i)
      by_item[group.item[i]] = {group.prompt, group.responses[i]};
  std::size_t found = 0;
  for (const auto& shard : shards)
    for (const MicroBatch& batch : shard) {
      RC_ASSERT(batch.items.size() <= static_cast<std::size_t>(micro));
      RC_ASSERT(batch.items.size() == 1 || most_rows == 0 || batch.rows.rows() <= most_rows);
      RC_ASSERT(batch.first_target.size() == batch.items.size() + 1);
      for (std::size_t i = 0; i < batch.items.size(); ++i, ++found) {
        const auto& [prompt, response] = by_item.at(batch.items[i]);
        const std::uint32_t first = batch.first_target[i];
        RC_ASSERT(batch.first_target[i + 1] - first == response.size());
        for (std::size_t t = 0; t < response.size(); ++t) {
          RC_ASSERT(batch.rows.target_token[first + t] == response[t]);
          std::vector<std::int32_t> past(prompt.begin(), prompt.end());
          past.insert(past.end(), response.begin(), response.begin() + static_cast<long>(t));
          RC_ASSERT(context_of(batch.rows, batch.rows.target_row[first + t]) == past);
        }
      }
    }
  RC_ASSERT(found == by_item.size());
}

TEST(Packing, WholeGroupsShareTheirPromptAndLargeOnesAreCutEvenly) {
  const std::vector<std::int32_t> prompt = {1, 2, 3, 4}, response = {5, 6, 7};
  PackGroup group{prompt, {}, {}};
  for (std::uint32_t i = 0; i < 10; ++i) {
    group.responses.push_back(response);
    group.item.push_back(i);
  }
  const auto whole = pack(std::vector<PackGroup>{group}, {16, 1});
  ASSERT_EQ(whole[0].size(), 1u);
  EXPECT_EQ(whole[0][0].rows.rows(), 4 + 10 * 2);
  const auto cut = pack(std::vector<PackGroup>{group}, {4, 1});
  ASSERT_EQ(cut[0].size(), 3u);
  for (const MicroBatch& batch : cut[0]) {
    EXPECT_GE(batch.items.size(), 3u);
    EXPECT_EQ(batch.rows.rows(), 4 + 2 * static_cast<std::int64_t>(batch.items.size()));
  }
}

TEST(Packing, ALimitOfRowsCutsWhereItMust) {
  const std::vector<std::int32_t> prompt = {1, 2}, small = {5, 6, 7}, large(9, 4);
  const PackGroup group{prompt, {small, small, large, small}, {0, 1, 2, 3}};
  const auto batches = pack(std::vector<PackGroup>{group}, {16, 1, 6})[0];
  std::vector<std::vector<std::uint32_t>> items;
  for (const MicroBatch& batch : batches) items.push_back(batch.items);
  // 2 + 2 + 2 rows; the large one has 2 + 8 by itself.
  EXPECT_EQ(items, (std::vector<std::vector<std::uint32_t>>{{0, 1}, {2}, {3}}));
}

TEST(Packing, ShardsAreBalancedByRows) {
  const Source source = random_source(4, 60);
  const auto shards = pack(source.groups(), {8, 2});
  std::int64_t load[2] = {0, 0};
  for (int s = 0; s < 2; ++s)
    for (const MicroBatch& batch : shards[s]) load[s] += batch.rows.rows();
  EXPECT_LT(std::abs(load[0] - load[1]), (load[0] + load[1]) / 20);
}

TEST(Packing, NothingGivesEmptyShardsAndBrokenGroupsAreRefused) {
  EXPECT_EQ(pack({}, {8, 3}).size(), 3u);
  const std::vector<std::int32_t> prompt = {1}, none;
  EXPECT_THROW(pack(std::vector<PackGroup>{{none, {prompt}, {0}}}, {8, 1}), Error);
  EXPECT_THROW(pack(std::vector<PackGroup>{{prompt, {none}, {0}}}, {8, 1}), Error);
}

}  // namespace
}  // namespace allot
