#include "allot/text/tokenizer_json.h"

#include <filesystem>
#include <functional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/text/bpe_tokenizer.h"

namespace allot {
namespace {

using nlohmann::json;

const std::string kFolder = ALLOT_SOURCE_DIR "/src/allot/text/testing/tokenizers/";

const std::string& sound() {
  static const std::string text = read_file(kFolder + "llama3.json");
  return text;
}

// The message about a tokenizer.json that `change` made from a sound one; "" if it is accepted.
std::string problem(const std::function<void(json&)>& change) {
  json file = json::parse(sound());
  change(file);
  try {
    const BpeTokenizer tokenizer(read_tokenizer_json(file.dump(), "tokenizer.json"));
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    return error.what();
  }
}

void expect_problem(const std::string& part, const std::function<void(json&)>& change) {
  const std::string found = problem(change);
  EXPECT_NE(found.find(part), std::string::npos) << part << " is not in: " << found;
}

TEST(TokenizerJson, AcceptsSettingsWithoutEffect) {
  EXPECT_EQ(problem([](json&) {}), "");
  EXPECT_EQ(problem([](json& file) {
              file["truncation"] = {{"max_length", 5}};
              file["padding"] = {{"strategy", "BatchLongest"}};
              file["model"]["dropout"] = 0.0;
              file["model"]["unk_token"] = "a";
              file["model"]["end_of_word_suffix"] = "";
              file["decoder"] = nullptr;
              file["post_processor"] = nullptr;
              file["normalizer"] = {{"type", "Sequence"}, {"normalizers", json::array()}};
            }),
            "");
}

TEST(TokenizerJson, NamesWhatItDoesNotKnow) {
  expect_problem("the field \"surprise\"", [](json& file) { file["surprise"] = 1; });
  expect_problem("model: the field \"surprise\"",
                 [](json& file) { file["model"]["surprise"] = 1; });
  expect_problem("version", [](json& file) { file["version"] = "2.0"; });
  expect_problem("model WordPiece", [](json& file) { file["model"]["type"] = "WordPiece"; });
  expect_problem("model.dropout: the value 0.1",
                 [](json& file) { file["model"]["dropout"] = 0.1; });
  expect_problem("model.byte_fallback", [](json& file) { file["model"]["byte_fallback"] = true; });
  expect_problem("end_of_word_suffix",
                 [](json& file) { file["model"]["end_of_word_suffix"] = "</w>"; });
  expect_problem("normalizer NFKC", [](json& file) { file["normalizer"] = {{"type", "NFKC"}}; });
  expect_problem("normalizer Lowercase", [](json& file) {
    file["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "Lowercase"}}}}};
  });
  expect_problem("ByteLevel is needed", [](json& file) {
    file["pre_tokenizer"] = {{"type", "Whitespace"}};
  });
  expect_problem("pre-tokenizer Metaspace", [](json& file) {
    file["pre_tokenizer"]["pretokenizers"][0] = {{"type", "Metaspace"}};
  });
  expect_problem("pre_tokenizer.pretokenizers[0].behavior: \"Contiguous\"", [](json& file) {
    file["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Contiguous";
  });
  expect_problem("\\w is not supported", [](json& file) {
    file["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\w+";
  });
  expect_problem("post-processor BertProcessing", [](json& file) {
    file["post_processor"] = {{"type", "BertProcessing"}};
  });
  expect_problem("decoder WordPiece", [](json& file) {
    file["decoder"] = {{"type", "WordPiece"}};
  });
  expect_problem("added_tokens[0]: the field \"surprise\"",
                 [](json& file) { file["added_tokens"][0]["surprise"] = 1; });
}

TEST(TokenizerJson, NamesWhatDoesNotFit) {
  expect_problem("model.vocab: the id of \"!\"",
                 [](json& file) { file["model"]["vocab"]["!"] = -3; });
  expect_problem("model.vocab: the id of \"!\"",
                 [](json& file) { file["model"]["vocab"]["!"] = 1e15; });
  expect_problem("id 5 is given twice", [](json& file) { file["model"]["vocab"]["new"] = 5; });
  expect_problem("no token for byte", [](json& file) { file["model"]["vocab"].erase("!"); });
  expect_problem("model.vocab: an object",
                 [](json& file) { file["model"]["vocab"] = json::array(); });
  expect_problem("model.merges[2]", [](json& file) { file["model"]["merges"][2] = "abc"; });
  expect_problem("model.merges[2]", [](json& file) { file["model"]["merges"][2] = {"a"}; });
  expect_problem("merge 0 needs 'qqqa'", [](json& file) {
    file["model"]["merges"][0] = {"qqq", "a"};
  });
  expect_problem("added_tokens[0].id", [](json& file) { file["added_tokens"][0]["id"] = -1; });
  expect_problem("has the id of", [](json& file) { file["added_tokens"][0]["id"] = 521; });
  expect_problem("has the id of another token",
                 [](json& file) { file["added_tokens"][0]["id"] = 5; });
  expect_problem("is there twice", [](json& file) {
    file["added_tokens"][0]["content"] = file["added_tokens"][1]["content"];
  });
  expect_problem("is empty", [](json& file) { file["added_tokens"][0]["content"] = ""; });
  expect_problem("has another id", [](json& file) { file["added_tokens"][0]["content"] = "a"; });
  expect_problem("is needed", [](json& file) { file = 3; });
  expect_problem("is needed", [](json& file) { file = json::object(); });
}

TEST(TokenizerJson, RefusesTwoEqualTokens) {
  std::string text = sound();
  const std::string begin = "\"vocab\":{";
  text.insert(text.find(begin) + begin.size(), "\"a\":1,");
  try {
    read_tokenizer_json(text, "tokenizer.json");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("twice"), std::string::npos) << error.what();
  }
}

TEST(TokenizerJson, RefusesFilesThatAreCutOff) {
  for (std::size_t length = 0; length < sound().size(); length += 97)
    EXPECT_THROW(read_tokenizer_json(sound().substr(0, length), "tokenizer.json"), Error) << length;
}

TEST(TokenizerJson, TakesDeepNestingForWhatItIs) {
  EXPECT_THROW(read_tokenizer_json(std::string(1'000'000, '['), "tokenizer.json"), Error);
  std::string deep = "{\"normalizer\":";
  for (int i = 0; i < 100'000; ++i) deep += "{\"type\":\"Sequence\",\"normalizers\":[";
  EXPECT_THROW(read_tokenizer_json(deep, "tokenizer.json"), Error);
}

// What the fuzzer (fuzz/tokenizer_json.cc) began from and found: no crash, an Error at most.
TEST(TokenizerJson, ReplaysTheFuzzersCorpus) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ALLOT_SOURCE_DIR "/fuzz/corpus/tokenizer_json")) {
    ++files;
    try {
      const BpeTokenizer tokenizer(read_tokenizer_json(read_file(entry.path()), "corpus"));
      const std::string text = "a b1\u00e9<x>";
      EXPECT_FALSE(tokenizer.decode(tokenizer.encode(text)).empty()) << entry.path();
    } catch (const Error&) {
    }
  }
  EXPECT_GE(files, 5u);
}

}  // namespace
}  // namespace allot
