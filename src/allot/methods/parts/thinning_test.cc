#include "allot/methods/parts/thinning.h"

#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot {
namespace {

TEST(Thinning, DropsOrRaisesWhatIsBelow) {
  EXPECT_EQ(thinning_weight(.1, .4, .75, .7), 0);
  EXPECT_EQ(thinning_weight(.2, .4, .75, .8), 4);
  EXPECT_EQ(thinning_weight(.5, .4, .75, 0), 1);
  EXPECT_EQ(thinning_weight(.1, .4, 0, 0), 1);
  // Nothing is below the mean of equal values, whatever its rounding.
  EXPECT_EQ(thinning_weight(.1, (.1 + .1 + .1) / 3, .5, 0), 1);
}

TEST(Thinning, ExpectationIsTheWhole) {
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  std::vector<double> values(50);
  for (double& value : values) value = random.uniform();
  double sum = 0, whole = 0;
  for (const double value : values) whole += value;
  constexpr int kDraws = 20000;
  for (int draw = 0; draw < kDraws; ++draw)
    for (const double value : values)
      sum += thinning_weight(value, .5, .7, random.uniform()) * value;
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
    for (std::size_t row = 0; row < rows.size(); ++row) {
      std::uint32_t used = 0;
      for (const std::size_t i : rows[row]) {
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
  EXPECT_EQ(pack_rows(lengths, 10, 4), (Ragged<std::size_t>{{1, 3}, {0, 2}}));
  EXPECT_EQ(pack_rows(std::vector<std::uint32_t>{5, 11, 5}, 10, 4),
            (Ragged<std::size_t>{{0, 2}}));  // 11 has no row
  EXPECT_EQ(pack_rows({}, 10, 4).size(), 0u);
}

}  // namespace
}  // namespace allot
