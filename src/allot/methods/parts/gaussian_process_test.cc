// Golden numbers of VIP's Gaussian process (acceptance tests 7 and 8 of its specification).
#include "allot/methods/parts/gaussian_process.h"

#include <cmath>
#include <map>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/state.h"

namespace allot {
namespace {

// The paper's form: h = 1, jitter 1e-4 at most, no observation noise, observed means overwritten.
GaussianProcessOptions paper(double jitter = 1e-4) {
  GaussianProcessOptions options;
  options.bandwidth = 1;
  options.jitter = jitter;
  options.observation_noise = false;
  options.overwrite = true;
  return options;
}

class Places {
 public:
  void put(PromptId id, std::vector<float> at) { at_[id] = std::move(at); }
  std::vector<PromptRef> refs() const {
    std::vector<PromptRef> out;
    for (const auto& [id, at] : at_) out.push_back({id, 0, at});
    return out;
  }

 private:
  std::map<PromptId, std::vector<float>> at_;
};

TEST(GaussianProcess, NeighboursInThePapersForm) {
  Places places;
  places.put(1, {0, 0});
  places.put(2, {1, 0});
  places.put(3, {10, 0});
  const auto neighbour = [&](GaussianProcessOptions options, double rate) {
    GaussianProcess process(options);
    process.show(places.refs(), "test");
    EXPECT_DOUBLE_EQ(process.rate(2), .5);
    process.observe(std::vector<GaussianProcess::Observation>{{1, rate, 8}});
    EXPECT_NEAR(process.rate(3), .5, 1e-12);
    // predict right after update equals the clipped accuracy
    EXPECT_NEAR(process.rate(1), std::max(rate, options.clip), 1e-12);
    return process.rate(2);
  };
  EXPECT_NEAR(neighbour(paper(), .75), .660669, 5e-7);
  EXPECT_NEAR(neighbour(paper(), 0), .0862, 1e-4);
  GaussianProcessOptions sharp = paper();
  sharp.clip = 1e-6;
  EXPECT_NEAR(neighbour(sharp, 0), .000229, 1e-6);
}

TEST(GaussianProcess, TwoObservations) {
  Places places;  // an equilateral triangle
  places.put(1, {0, 0});
  places.put(2, {1, 0});
  places.put(3, {.5f, std::sqrt(.75f)});
  GaussianProcess process(paper(0));
  process.show(places.refs(), "test");
  process.observe(std::vector<GaussianProcess::Observation>{{1, .75, 8}, {2, .5, 8}});
  EXPECT_NEAR(process.rate(3), .6022, 5e-5);
}

TEST(GaussianProcess, RobustFormSmooths) {
  Places places;
  places.put(1, {0});
  GaussianProcessOptions options;
  options.bandwidth = 1;
  GaussianProcess process(options);
  process.show(places.refs(), "test");
  const std::vector<GaussianProcess::Observation> seen = {{1, .75, 8}};
  process.observe(seen);
  const double first = process.rate(1);
  EXPECT_NEAR(first, .6591, 5e-5);
  process.observe(seen);
  EXPECT_GT(process.rate(1), first);
  EXPECT_LT(process.rate(1), .75);
}

TEST(GaussianProcess, DuplicatedPromptDoesNotBreakTheSolver) {
  for (const double jitter : {0., 1e-4}) {
    Places places;
    places.put(1, {1, 2});
    places.put(2, {1, 2});
    places.put(3, {2, 2});
    GaussianProcess process(paper(jitter));
    process.show(places.refs(), "test");
    process.observe(std::vector<GaussianProcess::Observation>{{1, .75, 8}, {2, .25, 8}, {3, 1, 8}});
    for (const PromptId id : {1, 2, 3}) EXPECT_TRUE(std::isfinite(process.rate(id)));
  }
}

// A prompt shown late has the mean it would have had from the start.
TEST(GaussianProcess, LatecomersKnowWhatWasObserved) {
  RandomStream random({1, RandomUse::Test, 0, 0, 0});
  Places early, all;
  for (PromptId id = 0; id < 12; ++id) {
    std::vector<float> at(5);
    for (float& x : at) x = static_cast<float>(random.normal());
    if (id < 8) early.put(id, at);
    all.put(id, at);
  }
  GaussianProcessOptions options;
  options.bandwidth = 2;
  GaussianProcess late(options), whole(options);
  late.show(early.refs(), "test");
  whole.show(all.refs(), "test");
  for (int step = 0; step < 4; ++step) {
    std::vector<GaussianProcess::Observation> seen;
    for (PromptId id = step; id < 8; id += 2) seen.push_back({id, random.uniform(), 8});
    late.observe(seen);
    whole.observe(seen);
  }
  late.show(all.refs(), "test");
  for (PromptId id = 0; id < 12; ++id) EXPECT_NEAR(late.rate(id), whole.rate(id), 1e-12) << id;
}

TEST(GaussianProcess, BandwidthIsTheMedianDistance) {
  Places places;
  for (PromptId id = 0; id < 3; ++id) places.put(id, {static_cast<float>(id * id)});  // 0 1 4
  GaussianProcess process({});
  EXPECT_EQ(process.bandwidth(), 0);
  process.show(places.refs(), "test");
  EXPECT_DOUBLE_EQ(process.bandwidth(), 3);
  Places same;
  same.put(1, {7}), same.put(2, {7});
  GaussianProcess flat({});
  flat.show(same.refs(), "test");
  EXPECT_EQ(flat.bandwidth(), 1);
}

TEST(GaussianProcess, SavesItself) {
  Places places;
  places.put(1, {0, 1}), places.put(2, {1, 0});
  GaussianProcess process({}), read({});
  process.show(places.refs(), "test");
  process.observe(std::vector<GaussianProcess::Observation>{{1, .75, 8}});
  load_state("process", 1, save_state("process", 1, process), read);
  EXPECT_EQ(read.rate(1), process.rate(1));
  EXPECT_EQ(read.rate(2), process.rate(2));
  EXPECT_EQ(read.bandwidth(), process.bandwidth());
}

TEST(GaussianProcess, RefusesBadEmbeddings) {
  const std::vector<float> good = {1, 2}, other = {1, 3}, longer = {1, 2, 3}, broken = {1, NAN};
  const auto message = [&](PromptId id, std::span<const float> embedding) -> std::string {
    GaussianProcess process({});
    process.show(std::vector<PromptRef>{{7, 0, good}}, "alloc.vip");
    try {
      process.show(std::vector<PromptRef>{{id, 0, embedding}}, "alloc.vip");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message(7, good), "");
  EXPECT_NE(message(8, longer).find("prompt 8 has 3 numbers; 2"), std::string::npos);
  EXPECT_NE(message(8, broken).find("NaN"), std::string::npos);
  EXPECT_NE(message(8, {}).find("is missing"), std::string::npos);
  EXPECT_NE(message(7, other).find("another one"), std::string::npos);
}

}  // namespace
}  // namespace allot
