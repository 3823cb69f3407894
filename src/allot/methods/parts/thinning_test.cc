#include "allot/methods/parts/thinning.h"

#include <set>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot {
namespace {

TEST(Thinning, DropsOrRaisesWhatIsBelow) {
  const std::vector<double> values = {.1, .5, .2, .5};
  EXPECT_EQ(thinning_weights(values, .4, .75, {.7, 0, .8, 0}), (std::vector<double>{0, 1, 4, 1}));
  EXPECT_EQ(thinning_weights(values, .4, 0, {0, 0, 0, 0}), (std::vector<double>{1, 1, 1, 1}));
  // Nothing is below the mean of equal values, whatever its rounding.
  const std::vector<double> equal(3, .1);
  EXPECT_EQ(thinning_weights(equal, (.1 + .1 + .1) / 3, .5, {0, 0, 0}),
            (std::vector<double>{1, 1, 1}));
}

TEST(Thinning, ExpectationIsTheWhole) {
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  std::vector<double> values(50);
  for (double& value : values) value = random.uniform();
  double sum = 0, whole = 0;
  for (const double value : values) whole += value;
  constexpr int kDraws = 20000;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> uniforms(values.size());
    for (double& u : uniforms) u = random.uniform();
    const auto weights = thinning_weights(values, .5, .7, uniforms);
    for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
  }
  EXPECT_NEAR(sum / kDraws / whole, 1, .005);
}

// Rows by first-fit in the given order: the oracle of the packing.
std::size_t first_fit_rows(const std::vector<std::uint32_t>& lengths, std::uint32_t limit) {
  std::vector<std::uint32_t> room;
  for (const std::uint32_t length : lengths) {
    std::size_t row = 0;
    while (row < room.size() && room[row] < length) ++row;
    if (row == room.size()) room.push_back(limit);
    room[row] -= length;
  }
  return room.size();
}

TEST(Packing, FillsAtLeastAsFirstFit) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    RandomStream random({seed, RandomUse::Test, 1, 0, 0});
    std::vector<std::uint32_t> lengths(1 + random.below(64));
    for (std::uint32_t& length : lengths)
      length = static_cast<std::uint32_t>(1 + random.below(1024));
    const auto rows = pack_rows(lengths, 1024, 64);
    std::set<std::size_t> seen;
    for (const auto& row : rows) {
      std::uint32_t used = 0;
      for (const std::size_t i : row) {
        used += lengths[i];
        EXPECT_TRUE(seen.insert(i).second);
      }
      EXPECT_LE(used, 1024u);
    }
    EXPECT_EQ(seen.size(), lengths.size());
    EXPECT_LE(rows.size(), first_fit_rows(lengths, 1024)) << seed;
    EXPECT_EQ(rows, pack_rows(lengths, 1024, 64));
    EXPECT_GT(row_fill(lengths, rows, 1024), 0);
    EXPECT_LE(row_fill(lengths, rows, 1024), 1);
  }
}

TEST(Packing, LooksNoFurtherThanTheWindow) {
  const std::vector<std::uint32_t> lengths = {6, 7, 4, 3};
  EXPECT_EQ(pack_rows(lengths, 10, 1).size(), 3u);  // 6 | 7 | 4 3
  EXPECT_EQ(pack_rows(lengths, 10, 4), (std::vector<std::vector<std::size_t>>{{1, 3}, {0, 2}}));
  EXPECT_EQ(pack_rows(std::vector<std::uint32_t>{5, 11, 5}, 10, 4),
            (std::vector<std::vector<std::size_t>>{{0, 2}}));  // 11 has no row
  EXPECT_TRUE(pack_rows({}, 10, 4).empty());
}

}  // namespace
}  // namespace allot
