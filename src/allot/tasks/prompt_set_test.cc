#include "allot/tasks/prompt_set.h"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "allot/core/error.h"

namespace allot {
namespace {

std::vector<Prompt> prompts_of(std::size_t size) {
  std::vector<Prompt> prompts(size);
  for (std::size_t i = 0; i < size; ++i) {
    prompts[i].id = 1000 - 3 * i;
    prompts[i].key = "p" + std::to_string(i);
    prompts[i].text = "text " + std::to_string(i);
    prompts[i].answer = std::to_string(i * i);
  }
  return prompts;
}

std::vector<std::pair<PromptId, std::uint32_t>> drawn(PromptSet& set, std::size_t wanted,
                                                      Draw draw) {
  std::vector<std::pair<PromptId, std::uint32_t>> refs;
  for (const PromptRef& ref : set.candidates(wanted, draw)) refs.emplace_back(ref.id, ref.epoch);
  return refs;
}

std::vector<PromptId> ids_of(const std::vector<std::pair<PromptId, std::uint32_t>>& refs) {
  std::vector<PromptId> ids;
  for (const auto& [id, epoch] : refs) ids.push_back(id);
  return ids;
}

template <class T>
std::set<T> as_set(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

// A step as the sizes of its draws: candidates first, refills after.
rc::Gen<std::vector<std::vector<std::size_t>>> steps_of_draws() {
  return rc::gen::container<std::vector<std::vector<std::size_t>>>(
      rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, 9)));
}

TEST(PromptSet, CandidatesSayWhatTheDataSetSays) {
  std::vector<Prompt> prompts = prompts_of(7);
  std::map<PromptId, std::optional<float>> expected;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    if (i % 2 == 0) prompts[i].prior_pass_rate = static_cast<float>(i) / 8;
    expected[prompts[i].id] = prompts[i].prior_pass_rate;
  }
  PromptSet set(prompts, 1);
  for (const Draw draw : {Draw::Stream, Draw::Uniform, Draw::Pool}) {
    set.begin_step(static_cast<std::uint64_t>(draw));
    const auto shown = set.candidates(5, draw);
    EXPECT_GE(shown.size(), 5u);
    for (const PromptRef& ref : shown)
      EXPECT_EQ(ref.prior_pass_rate, expected.at(ref.id)) << ref.id;
  }
  PromptSet silent(prompts_of(7), 1);
  EXPECT_EQ(silent.hash(), set.hash());
  for (const PromptRef& ref : silent.candidates(7, Draw::Stream))
    EXPECT_FALSE(ref.prior_pass_rate.has_value());
}

TEST(PromptSetStream, EveryIdOncePerEpochAndNoRepeatInAStep) {
  const bool holds = rc::check([] {
    const auto size = *rc::gen::inRange<std::size_t>(1, 12);
    PromptSet set(prompts_of(size), *rc::gen::arbitrary<std::uint64_t>());
    std::map<std::uint32_t, std::vector<PromptId>> epochs;
    std::uint64_t step = 0;
    for (const auto& draws : *steps_of_draws()) {
      set.begin_step(step++);
      std::set<PromptId> shown;
      for (const std::size_t wanted : draws) {
        const auto refs = drawn(set, wanted, Draw::Stream);
        RC_ASSERT(refs.size() == std::min(wanted, size - shown.size()));
        for (const auto& [id, epoch] : refs) {
          RC_ASSERT(shown.insert(id).second);
          epochs[epoch].push_back(id);
        }
      }
    }
    // What is left of the epochs comes out in further steps: each of them complete, none twice.
    const std::uint32_t last = epochs.empty() ? 0 : epochs.rbegin()->first;
    for (int i = 0; i < 2; ++i) {
      set.begin_step(step++);
      for (const auto& [id, epoch] : drawn(set, size, Draw::Stream)) epochs[epoch].push_back(id);
    }
    for (const auto& [epoch, ids] : epochs) {
      RC_ASSERT(as_set(ids).size() == ids.size());
      if (epoch <= last) RC_ASSERT(ids.size() == size);
    }
  });
  EXPECT_TRUE(holds);
}

TEST(PromptSetStream, OrderDependsOnSeedAndEpochOnly) {
  std::vector<Prompt> prompts = prompts_of(50);
  PromptSet whole(prompts, 3);
  std::reverse(prompts.begin(), prompts.end());
  PromptSet reversed(prompts, 3), other(prompts, 4);
  whole.begin_step(0);
  const auto first = drawn(whole, 50, Draw::Stream);
  whole.begin_step(1);
  const auto second = drawn(whole, 50, Draw::Stream);
  std::vector<std::pair<PromptId, std::uint32_t>> pieces;
  for (int step = 0; step < 10; ++step) {
    reversed.begin_step(static_cast<std::uint64_t>(step) + 17);
    for (int i = 0; i < 5; ++i) pieces.push_back(drawn(reversed, 1, Draw::Stream).at(0));
  }
  EXPECT_EQ(pieces, first);
  EXPECT_NE(ids_of(first), ids_of(second));
  EXPECT_EQ(as_set(ids_of(first)), as_set(ids_of(second)));
  other.begin_step(0);
  EXPECT_NE(drawn(other, 50, Draw::Stream), first);
  EXPECT_EQ(first.front().second, 0u);
  EXPECT_EQ(second.front().second, 1u);
}

TEST(PromptSetStream, ExhaustedWithinAStepIsEmptyNotAnError) {
  PromptSet set(prompts_of(3), 0);
  set.begin_step(0);
  EXPECT_EQ(set.candidates(10, Draw::Stream).size(), 3u);
  EXPECT_TRUE(set.candidates(1, Draw::Stream).empty());
  set.begin_step(1);
  EXPECT_EQ(set.candidates(2, Draw::Stream).size(), 2u);
}

TEST(PromptSetUniform, KeyedByStepDistinctAndWithoutConsuming) {
  PromptSet set(prompts_of(30), 5), fresh(prompts_of(30), 5);
  set.begin_step(8);
  const auto first = drawn(set, 10, Draw::Uniform);
  const auto refill = drawn(set, 30, Draw::Uniform);
  EXPECT_EQ(first.size(), 10u);
  EXPECT_EQ(refill.size(), 20u);
  std::vector<PromptId> both = ids_of(first), more = ids_of(refill);
  both.insert(both.end(), more.begin(), more.end());
  EXPECT_EQ(as_set(both).size(), 30u);
  set.begin_step(9);
  EXPECT_NE(drawn(set, 10, Draw::Uniform), first);
  set.begin_step(8);
  EXPECT_EQ(drawn(set, 10, Draw::Uniform), first);  // a function of the step
  set.begin_step(10);
  fresh.begin_step(10);
  EXPECT_EQ(drawn(set, 30, Draw::Stream), drawn(fresh, 30, Draw::Stream));  // nothing consumed
}

// 3,000 draws of 5 from 20: each id is expected 750 times, s.d. 23.7; the bound is 5 s.d.
TEST(PromptSetUniform, IsUniform) {
  PromptSet set(prompts_of(20), 1);
  std::map<PromptId, int> counts;
  for (std::uint64_t step = 0; step < 3000; ++step) {
    set.begin_step(step);
    for (const PromptRef& ref : set.candidates(5, Draw::Uniform)) ++counts[ref.id];
  }
  ASSERT_EQ(counts.size(), 20u);
  for (const auto& [id, count] : counts) EXPECT_NEAR(count, 750, 119) << id;
}

TEST(PromptSetPool, IsAllIdsAscending) {
  PromptSet set(prompts_of(9), 5);
  set.begin_step(0);
  const auto pool = ids_of(drawn(set, 1, Draw::Pool));
  EXPECT_EQ(pool.size(), 9u);
  EXPECT_TRUE(std::is_sorted(pool.begin(), pool.end()));
  EXPECT_EQ(ids_of(drawn(set, 0, Draw::Pool)), pool);
}

// Saves at a random place of a random history, also inside a step, and continues both.
TEST(PromptSetState, ContinuesIdentically) {
  const bool holds = rc::check([] {
    const auto size = *rc::gen::inRange<std::size_t>(1, 12);
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const auto draw = *rc::gen::element(Draw::Stream, Draw::Uniform);
    PromptSet set(prompts_of(size), seed), loaded(prompts_of(size), seed);
    std::uint64_t step = 0;
    for (const auto& draws : *steps_of_draws()) {
      set.begin_step(step++);
      for (const std::size_t wanted : draws) set.candidates(wanted, draw);
    }
    const std::string blob = set.save();
    loaded.load(blob);
    RC_ASSERT(loaded.save() == blob);
    for (const auto& draws : *steps_of_draws()) {
      for (const std::size_t wanted : draws)
        RC_ASSERT(drawn(set, wanted, draw) == drawn(loaded, wanted, draw));
      set.begin_step(step);
      loaded.begin_step(step++);
    }
    RC_ASSERT(loaded.save() == set.save());
  });
  EXPECT_TRUE(holds);
}

TEST(PromptSetState, RefusesForeignAndDamagedBlobsAndStaysAsItWas) {
  PromptSet set(prompts_of(10), 1), seed2(prompts_of(10), 2), more(prompts_of(11), 1);
  set.begin_step(0);
  set.candidates(4, Draw::Stream);
  set.candidates(3, Draw::Uniform);
  const std::string before = set.save();
  EXPECT_THROW(seed2.load(before), Error);
  EXPECT_THROW(more.load(before), Error);
  for (std::size_t length = 0; length < before.size(); ++length)
    EXPECT_THROW(set.load(std::string_view(before).substr(0, length)), Error);
  EXPECT_THROW(set.load(before + "x"), Error);
  EXPECT_EQ(set.save(), before);
}

// Any single changed byte is refused or gives a source that still works and ends.
void change_bytes(const PromptSet& set) {
  const std::string blob = set.save();
  int refused = 0;
  for (std::size_t i = 0; i < blob.size(); ++i) {
    for (const char flip : {'\x01', '\x07', '\x80', '\x0F'}) {
      std::string changed = blob;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      PromptSet target(prompts_of(5), 1);
      try {
        target.load(changed);
      } catch (const Error&) {
        ++refused;
        continue;
      }
      EXPECT_LE(target.candidates(9, Draw::Uniform).size(), 5u);
      target.begin_step(2);
      EXPECT_EQ(target.candidates(9, Draw::Stream).size(), 5u);
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(PromptSetState, ChangedBytesNeverHangOrCrash) {
  PromptSet set(prompts_of(5), 1);
  set.begin_step(0);
  set.candidates(3, Draw::Stream);
  set.begin_step(1);
  set.candidates(2, Draw::Uniform);
  change_bytes(set);
  set.candidates(2, Draw::Uniform);
  set.candidates(1, Draw::Stream);
  change_bytes(set);
}

// A keyed order that has given out more than was shown would run out of ids.
TEST(PromptSetState, RefusesAKeyedOrderBeyondWhatWasShown) {
  PromptSet set(prompts_of(5), 1);
  set.candidates(2, Draw::Uniform);
  std::string blob = set.save();
  const std::size_t place = blob.size() - sizeof(std::uint64_t);  // the last member
  ASSERT_EQ(blob[place], 2);
  blob[place] = 5;
  EXPECT_THROW(set.load(blob), Error);
  EXPECT_EQ(set.candidates(9, Draw::Uniform).size(), 3u);
}

TEST(PromptSetHash, DependsOnKeysAndAnswersNotOnOrder) {
  std::vector<Prompt> prompts = prompts_of(6);
  const std::uint64_t hash = PromptSet(prompts, 1).hash();
  std::rotate(prompts.begin(), prompts.begin() + 2, prompts.end());
  EXPECT_EQ(PromptSet(prompts, 2).hash(), hash);
  prompts[0].answer += "0";
  EXPECT_NE(PromptSet(prompts, 1).hash(), hash);
  prompts = prompts_of(6);
  prompts[0].id += 1;
  EXPECT_NE(PromptSet(prompts, 1).hash(), hash);
  prompts = prompts_of(6);
  std::swap(prompts[0].answer, prompts[1].answer);
  EXPECT_NE(PromptSet(prompts, 1).hash(), hash);
  EXPECT_NE(PromptSet(prompts_of(5), 1).hash(), hash);
}

TEST(PromptSet, RefusesBadLists) {
  EXPECT_THROW(PromptSet(std::vector<Prompt>{}, 0), Error);
  std::vector<Prompt> prompts = prompts_of(2);
  prompts[1].id = std::uint64_t{1} << 63;
  EXPECT_THROW(PromptSet(prompts, 0), Error);
  prompts[1].id = prompts[0].id;
  try {
    PromptSet set(prompts, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'p0' and 'p1'"), std::string::npos) << error.what();
  }
  EXPECT_THROW(PromptSet(prompts_of(2), 0).get(5), Error);
}

TEST(PromptSet, GetIsThreadSafeWhileTheOwnerDraws) {
  PromptSet set(prompts_of(100), 0);
  std::vector<std::thread> threads;
  std::vector<int> found(2);
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i)
        found[static_cast<std::size_t>(t)] +=
            set.get(1000 - 3 * static_cast<PromptId>(i % 100)).key == "p" + std::to_string(i % 100);
    });
  for (std::uint64_t step = 0; step < 200; ++step) {
    set.begin_step(step);
    set.candidates(30, Draw::Stream);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, (std::vector<int>{5000, 5000}));
}

}  // namespace
}  // namespace allot
