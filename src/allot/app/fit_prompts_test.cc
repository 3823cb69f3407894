#include "allot/app/fit_prompts.h"

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/text/char_tokenizer.h"

namespace allot {
namespace {

PromptList prompts_of(const std::vector<std::string>& texts) {
  std::vector<Prompt> prompts;
  for (const std::string& text : texts) {
    prompts.emplace_back();
    prompts.back().text = text;
  }
  return PromptList(std::move(prompts));
}

std::vector<std::string> texts_of(const PromptList& prompts) {
  std::vector<std::string> texts;
  for (const Prompt& prompt : prompts.held()) texts.push_back(prompt.text);
  return texts;
}

const CharTokenizer& letters() {
  static const CharTokenizer tokenizer("abcdé");
  return tokenizer;
}

using Texts = std::vector<std::string>;

TEST(FitPrompts, WhatFitsStays) {
  PromptList prompts = prompts_of({"abcd", "dcba"});
  for (const Overlong rule : {Overlong::Drop, Overlong::Error, Overlong::TruncateLeft})
    EXPECT_EQ(fit_prompts(prompts, letters(), 4, rule), "");
  EXPECT_EQ(texts_of(prompts), (Texts{"abcd", "dcba"}));
}

TEST(FitPrompts, DropsAndSaysSo) {
  PromptList prompts = prompts_of({"abcd", "ab", "aaaaaa"});
  const std::string said = fit_prompts(prompts, letters(), 3, Overlong::Drop);
  EXPECT_EQ(texts_of(prompts), Texts{"ab"});
  EXPECT_NE(said.find("2 of 3 prompts are too long, the longest with 6 tokens (aaaaaa)"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("at most 3 fit; they were dropped"), std::string::npos) << said;
}

TEST(FitPrompts, CutsWholeCharactersAtTheBeginning) {
  PromptList prompts = prompts_of({"abcdé", "ééé", "ab"});
  const std::string said = fit_prompts(prompts, letters(), 2, Overlong::TruncateLeft);
  EXPECT_EQ(texts_of(prompts), (Texts{"dé", "éé", "ab"}));
  EXPECT_NE(said.find("cut at their beginning"), std::string::npos) << said;
}

TEST(FitPrompts, RefusesWhereAskedToOrNoneIsLeft) {
  PromptList prompts = prompts_of({"abcd", "ab"});
  EXPECT_THROW(fit_prompts(prompts, letters(), 3, Overlong::Error), Error);
  for (const Overlong rule : {Overlong::Drop, Overlong::TruncateLeft}) {
    PromptList all = prompts_of({"abcd", "ab"});
    EXPECT_THROW(fit_prompts(all, letters(), 0, rule), Error);
  }
  PromptList unknown = prompts_of({"xyz"});
  EXPECT_THROW(fit_prompts(unknown, letters(), 9, Overlong::Drop), Error);
}

}  // namespace
}  // namespace allot
