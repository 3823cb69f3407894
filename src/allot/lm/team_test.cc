#include "allot/lm/team.h"

#include <numeric>

#include <gtest/gtest.h>

namespace allot::lm {
namespace {

TEST(Team, SharesARangeWithoutGapsAndOverlaps) {
  for (const int count : {1, 2, 3, 7}) {
    for (const int n : {0, 1, 2, 6, 7, 100}) {
      int next = 0;
      for (int i = 0; i < count; ++i) {
        const TeamMember member{i, count, nullptr};
        EXPECT_EQ(member.begin(n), next);
        next = member.end(n);
        EXPECT_LE(next - member.begin(n), n / count + 1);
      }
      EXPECT_EQ(next, n);
    }
  }
}

// Prefix sums by turns: a member that ran ahead of a barrier would read what is not there yet.
TEST(Team, MeetsAtEveryBarrier) {
  for (const int size : {1, 2, 3}) {
    Team team(size);
    for (int repeat = 0; repeat < 20; ++repeat) {
      constexpr int kRounds = 200;
      std::vector<long> sum(kRounds + 1, 0);
      std::vector<long> part(size);
      sum[0] = repeat;
      team.run([&](const TeamMember& member) {
        for (int round = 0; round < kRounds; ++round) {
          part[member.index] = sum[round] + member.index;
          member.sync();
          if (member.index == round % member.count) {
            sum[round + 1] = std::accumulate(part.begin(), part.end(), 0L) % 1000003;
          }
          member.sync();
        }
      });
      long wanted = repeat;
      for (int round = 0; round < kRounds; ++round) {
        wanted = (wanted * size + size * (size - 1) / 2) % 1000003;
      }
      ASSERT_EQ(sum[kRounds], wanted);
    }
  }
}

TEST(Team, MayNeverRun) {
  for (const int size : {1, 2, 4}) Team team(size);
}

}  // namespace
}  // namespace allot::lm
