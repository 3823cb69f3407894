#include "allot/text/bpe_model.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "allot/core/error.h"
#include "allot/text/byte_alphabet.h"

namespace allot {
namespace {

using Ids = std::vector<std::int32_t>;

BpeVocabulary bytes_alone() {
  BpeVocabulary vocabulary;
  for (int b = 0; b < 256; ++b)
    vocabulary.ids.emplace_back(to_byte_alphabet(std::string(1, static_cast<char>(b))), b);
  return vocabulary;
}

BpeVocabulary with_merges(std::vector<std::pair<std::string, std::string>> merges) {
  BpeVocabulary vocabulary = bytes_alone();
  std::set<std::string> known;
  for (const auto& [left, right] : merges)
    if (known.insert(left + right).second)
      vocabulary.ids.emplace_back(left + right, static_cast<int>(vocabulary.ids.size()));
  vocabulary.merges = std::move(merges);
  return vocabulary;
}

// The definition, word by word: again and again the best pair that is there, the leftmost of equal
// ones, becomes one token.
Ids by_definition(const BpeVocabulary& vocabulary, const std::string& word) {
  std::vector<std::string> parts;
  for (const char c : word) parts.push_back(to_byte_alphabet(std::string(1, c)));
  for (;;) {
    std::size_t best = vocabulary.merges.size(), place = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = std::find(vocabulary.merges.begin(), vocabulary.merges.end(),
                                   std::pair(parts[i], parts[i + 1]));
      const auto rank = static_cast<std::size_t>(found - vocabulary.merges.begin());
      if (rank < best) best = rank, place = i;
    }
    if (best == vocabulary.merges.size()) break;
    parts[place] += parts[place + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
  Ids ids;
  for (const std::string& part : parts)
    for (const auto& [token, id] : vocabulary.ids)
      if (token == part) ids.push_back(id);
  return ids;
}

Ids encoded(const BpeModel& model, const std::string& word) {
  Ids ids;
  model.encode(word, ids);
  return ids;
}

// Random merges of what merges made before, over three letters, so that they compete.
TEST(BpeModel, MergesByTheDefinition) {
  rc::check([] {
    std::vector<std::string> known = {"a", "b", "c"};
    std::vector<std::pair<std::string, std::string>> merges;
    for (int i = 0, n = *rc::gen::inRange(0, 25); i < n; ++i) {
      std::pair<std::string, std::string> merge{*rc::gen::elementOf(known),
                                                *rc::gen::elementOf(known)};
      if (std::find(merges.begin(), merges.end(), merge) != merges.end()) continue;
      if (merge.first.size() + merge.second.size() > 12) continue;
      known.push_back(merge.first + merge.second);
      merges.push_back(std::move(merge));
    }
    const BpeVocabulary vocabulary = with_merges(merges);
    const BpeModel model(vocabulary);
    for (const int length : {3, 12, 31, 32, 33, 80}) {
      const auto word = *rc::gen::container<std::string>(static_cast<std::size_t>(length),
                                                         rc::gen::element('a', 'b', 'c'));
      RC_ASSERT(encoded(model, word) == by_definition(vocabulary, word));
    }
  });
}

TEST(BpeModel, TakesWholeWordsFirstWhereItIsAsked) {
  BpeVocabulary vocabulary = with_merges({{"b", "c"}});
  vocabulary.ids.emplace_back("abc", 300);
  EXPECT_EQ(encoded(BpeModel(vocabulary), "abc"), (Ids{97, 256}));
  vocabulary.whole_words_first = true;
  EXPECT_EQ(encoded(BpeModel(vocabulary), "abc"), (Ids{300}));
  EXPECT_EQ(BpeModel(vocabulary).size(), 301);
  EXPECT_EQ(BpeModel(vocabulary).bytes(300), "abc");
  EXPECT_EQ(BpeModel(vocabulary).bytes(299), "");
}

void expect_refused(const BpeVocabulary& vocabulary, const std::string& part) {
  try {
    const BpeModel model(vocabulary);
    ADD_FAILURE() << "no error: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(BpeModel, RefusesDamagedVocabularies) {
  BpeVocabulary vocabulary = bytes_alone();
  vocabulary.ids.emplace_back("ab", 97);
  expect_refused(vocabulary, "id 97 is given twice");
  vocabulary.ids.back() = {"a", 256};
  expect_refused(vocabulary, "'a' is in the vocabulary twice");
  vocabulary.ids.back() = {"", 256};
  expect_refused(vocabulary, "empty token");
  vocabulary.ids.back() = {"ab", -1};
  expect_refused(vocabulary, "the id of 'ab' is -1");
  vocabulary.ids.back() = {"ab", 2'000'000'000};
  expect_refused(vocabulary, "2000000000");
  vocabulary = bytes_alone();
  vocabulary.ids.erase(vocabulary.ids.begin() + 65);
  expect_refused(vocabulary, "no token for byte 65");
  vocabulary = with_merges({{"a", "b"}, {"a", "b"}});
  expect_refused(vocabulary, "given before");
  vocabulary = bytes_alone();
  vocabulary.merges = {{"a", "b"}};
  expect_refused(vocabulary, "merge 0 needs 'ab'");
}

}  // namespace
}  // namespace allot
