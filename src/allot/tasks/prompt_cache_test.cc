#include "allot/tasks/prompt_cache.h"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace allot {
namespace {

constexpr auto kStay = static_cast<std::uint32_t>(PromptSource::kStay);

class Cache : public ::testing::Test {
 protected:
  const Prompt& get(std::uint32_t place) {
    return cache_.get(place, [&] {
      ++reads_;
      Prompt prompt;
      prompt.id = place;
      prompt.text = std::to_string(place);
      return prompt;
    });
  }
  PromptCache cache_;
  std::size_t reads_ = 0;
};

TEST_F(Cache, OutsideOfStepsTheLastOnesStay) {
  const Prompt& first = get(0);
  for (std::uint32_t i = 1; i < kStay; ++i) get(i);
  EXPECT_EQ(&get(0), &first);  // asked for again: it stays as long again
  for (std::uint32_t i = kStay; i < 2 * kStay - 1; ++i) get(i);
  EXPECT_EQ(first.text, "0");
  EXPECT_EQ(&get(0), &first);
  EXPECT_EQ(reads_, 2 * kStay - 1);
}

TEST_F(Cache, AWalkOverEverythingKeepsLittle) {
  for (std::uint32_t i = 0; i < 20 * kStay; ++i) {
    EXPECT_EQ(get(i).id, i);
    ASSERT_LE(cache_.size(), 2 * kStay + 1);
  }
}

TEST_F(Cache, WhatAStepAskedForStaysUntilTheNext) {
  cache_.begin_step();
  std::vector<const Prompt*> step;
  for (std::uint32_t i = 0; i < 3 * kStay; ++i) step.push_back(&get(i));
  for (std::uint32_t i = 0; i < 3 * kStay; ++i) {
    EXPECT_EQ(step[i]->id, i);
    EXPECT_EQ(&get(i), step[i]);
  }
  EXPECT_EQ(reads_, 3 * kStay);
  cache_.begin_step();
  EXPECT_EQ(cache_.size(), 0u);
}

TEST_F(Cache, AFailedReadLeavesNothing) {
  EXPECT_THROW(cache_.get(7, []() -> Prompt { throw 1; }), int);
  EXPECT_EQ(get(7).id, 7u);
}

TEST_F(Cache, ThreadsMayAskAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < kStay; ++i) {
        const std::uint32_t place = (i * 7 + static_cast<std::uint32_t>(t) * 13) % 2000;
        EXPECT_EQ(get(place).id, place);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(reads_, 2000u);
}

}  // namespace
}  // namespace allot
