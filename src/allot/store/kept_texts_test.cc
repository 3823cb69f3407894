#include "allot/store/kept_texts.h"

#include <set>

#include <gtest/gtest.h>

namespace allot {
namespace {

using Indices = std::vector<std::size_t>;

TEST(KeptTexts, OfOneKindAreEvenlySpaced) {
  EXPECT_EQ(kept_texts(Indices(8, 0), 2), (Indices{2, 6}));
  EXPECT_EQ(kept_texts(Indices(8, 3), 4), (Indices{1, 3, 5, 7}));
  EXPECT_EQ(kept_texts(Indices(3, 0), 9), (Indices{0, 1, 2}));
}

TEST(KeptTexts, ARareKindIsSeen) {
  Indices kinds(100, 1);
  kinds[71] = 4;
  kinds[13] = kinds[14] = 0;
  EXPECT_EQ(kept_texts(kinds, 3), (Indices{14, 50, 71}));
  EXPECT_EQ(kept_texts(kinds, 4), (Indices{13, 14, 50, 71}));
  EXPECT_EQ(kept_texts(kinds, 1), (Indices{14}));
}

TEST(KeptTexts, AlwaysAsManyAsAskedFor) {
  for (std::size_t size = 0; size < 30; ++size) {
    Indices kinds;
    for (std::size_t i = 0; i < size; ++i) kinds.push_back(i * i % 7 % 5);
    for (std::size_t count = 0; count < 33; ++count) {
      const Indices kept = kept_texts(kinds, count);
      EXPECT_EQ(std::set<std::size_t>(kept.begin(), kept.end()).size(), std::min(count, size));
      EXPECT_TRUE(kept.empty() || kept.back() < size);
    }
  }
}

}  // namespace
}  // namespace allot
