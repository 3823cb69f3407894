#include "allot/tasks/rewards/reward_workers.h"

#include <atomic>
#include <future>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace allot {
namespace {

std::vector<Score> one_score(float reward) {
  Score score;
  score.reward = reward;
  return {score};
}

TEST(RewardWorkers, AnswersComeInTheOrderOfTheCalls) {
  RewardWorkers pool(3, 0);
  // The first call ends last: it waits for the second one.
  std::promise<void> second_ended;
  std::vector<RewardCall> calls = {[&] {
                                     second_ended.get_future().wait();
                                     return one_score(0);
                                   },
                                   [&] {
                                     second_ended.set_value();
                                     return one_score(1);
                                   }};
  for (int i = 2; i < 40; ++i) calls.push_back([i] { return one_score(static_cast<float>(i)); });
  const std::vector<RewardAnswer> answers = pool.run(std::move(calls));
  ASSERT_EQ(answers.size(), 40u);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    ASSERT_EQ(answers[i].scores.size(), 1u);
    EXPECT_EQ(answers[i].scores[0].reward, static_cast<float>(i));
    EXPECT_EQ(answers[i].failure, "");
  }
  EXPECT_TRUE(pool.run({}).empty());
}

TEST(RewardWorkers, WhatACallThrowsIsItsOwnFailure) {
  RewardWorkers pool(2, 5);
  const auto answers =
      pool.run({[]() -> std::vector<Score> { throw std::runtime_error("away"); },
                []() -> std::vector<Score> { throw 3; }, [] { return one_score(1); }});
  EXPECT_EQ(answers[0].failure, "it raised: away");
  EXPECT_NE(answers[1].failure.find("no std::exception"), std::string::npos);
  EXPECT_EQ(answers[2].failure, "");
}

TEST(RewardWorkers, AMistakePassesThroughWhenAllHaveEnded) {
  RewardWorkers pool(1, 5);
  std::atomic<int> ended = 0;
  EXPECT_THROW(pool.run({[]() -> std::vector<Score> { throw RewardMistake("f", "inf"); },
                         [&] {
                           ++ended;
                           return one_score(1);
                         }}),
               RewardMistake);
  EXPECT_EQ(ended, 1);
  EXPECT_EQ(pool.run({[] { return one_score(2); }}).at(0).scores.at(0).reward, 2);
}

// A call hangs until the test lets it go, in a pool of one worker: others still get their turn.
TEST(RewardWorkers, AHangingCallIsGivenUpAndItsWorkerReplaced) {
  auto release = std::make_shared<std::promise<void>>();
  auto ended = std::make_shared<std::promise<std::thread::id>>();
  const std::shared_future<void> let_go = release->get_future().share();
  std::future<std::thread::id> hung_thread = ended->get_future();
  std::vector<RewardAnswer> answers;
  std::thread::id next_thread;
  {
    RewardWorkers pool(1, 0.05);
    answers = pool.run({[let_go, ended] {
                          let_go.wait();
                          ended->set_value(std::this_thread::get_id());
                          return one_score(1);
                        },
                        [&next_thread] {
                          next_thread = std::this_thread::get_id();
                          return one_score(2);
                        }});
    EXPECT_EQ(pool.given_up(), 1);
    EXPECT_EQ(pool.run({[] { return one_score(3); }}).at(0).scores.at(0).reward, 3);
    EXPECT_EQ(pool.given_up(), 1);
  }  // does not wait for the call that hangs
  EXPECT_TRUE(answers.at(0).scores.empty());
  EXPECT_NE(answers.at(0).failure.find("reward.timeout_s (0.05 s)"), std::string::npos)
      << answers.at(0).failure;
  EXPECT_EQ(answers.at(1).scores.at(0).reward, 2);
  release->set_value();
  EXPECT_NE(hung_thread.get(), next_thread);
}

}  // namespace
}  // namespace allot
