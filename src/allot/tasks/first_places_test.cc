#include "allot/tasks/first_places.h"

#include <unordered_map>

#include <gtest/gtest.h>

#include "allot/core/random.h"

namespace allot {
namespace {

TEST(FirstPlaces, AgreesWithAMap) {
  for (const std::uint64_t distinct : {std::uint64_t{1}, std::uint64_t{50}, ~std::uint64_t{0}}) {
    RandomStream random({3, RandomUse::Test, distinct, 0, 0});
    FirstPlaces places;
    std::unordered_map<std::uint64_t, std::size_t> expected;
    EXPECT_EQ(places.find(0), std::nullopt);
    for (std::size_t i = 0; i < 5000; ++i) {
      // Multiples of a power of two, too, as ids of a data set may be.
      const std::uint64_t key = random.below(distinct) << (i % 3 * 20);
      const auto found = expected.find(key);
      EXPECT_EQ(places.find(key),
                found == expected.end() ? std::nullopt : std::optional(found->second));
      expected.emplace(key, i);
      places.add(key);
    }
    EXPECT_EQ(places.size(), 5000u);
    for (const auto& [key, place] : expected) EXPECT_EQ(places.find(key), place);
  }
}

}  // namespace
}  // namespace allot
