#include "allot/tasks/text_embedding.h"

#include <cmath>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/tasks/registry.h"

namespace allot {
namespace {

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

TEST(TextEmbedding, LikeTextsLieCloser) {
  const std::vector<std::string_view> texts = {"Add the two numbers: 12 + 30",
                                               "add the two numbers: 12 + 31",
                                               "Sort these digits: 9 1 3 4",
                                               "What is the capital of a country?",
                                               "",
                                               "Übung"};
  const auto x = hashed_text_embeddings(texts);
  ASSERT_EQ(x.size(), texts.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    ASSERT_EQ(x[i].size(), kTextDimensions);
    EXPECT_NEAR(distance(x[i], std::vector<float>(kTextDimensions)), texts[i].empty() ? 0 : 1,
                1e-6);
  }
  EXPECT_LT(distance(x[0], x[1]), .7);
  EXPECT_GT(distance(x[0], x[2]), 1.1);
  EXPECT_GT(distance(x[0], x[3]), 1.1);
}

TEST(TextEmbedding, DependsOnTheSetButNotOnItsOrder) {
  const std::vector<std::string_view> texts = {"one two", "two three", "three four"};
  const std::vector<std::string_view> turned = {"three four", "two three", "one two"};
  const auto x = hashed_text_embeddings(texts), y = hashed_text_embeddings(turned);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(x[i], y[2 - i]);
  EXPECT_TRUE(hashed_text_embeddings({}).empty());
}

// What everybody has says little: the common frame of prompts does not make them alike.
TEST(TextEmbedding, RareFeaturesWeighMore) {
  std::vector<std::string> texts;
  for (int i = 0; i < 50; ++i)
    texts.push_back("Compute the following sum and give the result: " +
                    std::to_string(1000 + 37 * i));
  std::vector<std::string_view> views(texts.begin(), texts.end());
  const auto in_set = hashed_text_embeddings(views);
  const auto alone = hashed_text_embeddings(std::vector<std::string_view>{views[0], views[40]});
  EXPECT_GT(distance(in_set[0], in_set[40]), distance(alone[0], alone[1]));
}

TEST(TextEmbedding, BuiltInPromptsShowTheirs) {
  TaskOptions options;
  options.task = "addition";
  const Task task = make_task(options, 3);
  for (const PromptRef& ref : task.train->candidates(5, Draw::Stream))
    EXPECT_TRUE(ref.embedding.empty());
  embed_by_text(*task.train);
  task.train->begin_step(1);
  std::vector<PromptRef> shown;
  for (const Draw draw : {Draw::Stream, Draw::Uniform, Draw::Pool}) {
    const auto refs = task.train->candidates(5, draw);
    shown.insert(shown.end(), refs.begin(), refs.end());
  }
  std::vector<std::string_view> texts;
  for (const PromptId id : task.train->ids()) texts.push_back(task.train->get(id).text);
  const auto wanted = hashed_text_embeddings(texts);
  std::map<PromptId, std::vector<float>> by_id;
  for (std::size_t i = 0; i < wanted.size(); ++i) by_id[task.train->ids()[i]] = wanted[i];
  ASSERT_GT(shown.size(), 10u);
  for (const PromptRef& ref : shown)
    EXPECT_EQ(std::vector<float>(ref.embedding.begin(), ref.embedding.end()), by_id.at(ref.id));
}

TEST(TextEmbedding, PromptSetRefusesWhatDoesNotFit) {
  Prompt a, b;
  a.id = 1, b.id = 2;
  PromptSet set({a, b}, 0);
  EXPECT_THROW(set.embed({{1, 2}}), Error);
  EXPECT_THROW(set.embed({{1, 2}, {1}}), Error);
  EXPECT_THROW(set.embed({{}, {}}), Error);
  EXPECT_THROW(set.embed({{1, 2}, {1, NAN}}), Error);
  EXPECT_NO_THROW(set.embed({{1, 2}, {3, 4}}));
}

}  // namespace
}  // namespace allot
