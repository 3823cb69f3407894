#include "allot/text/char_tokenizer.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <rapidcheck.h>
#include <unistd.h>

#include "allot/core/error.h"

namespace allot {
namespace {

using Ids = std::vector<std::int32_t>;

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / concat("char_tokenizer_", getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string string() const { return path_.string(); }
  void write(const std::string& text) const { std::ofstream(path_ / "tokenizer.json") << text; }
  nlohmann::json read(const std::string& name) const {
    std::ifstream in(path_ / name);
    return nlohmann::json::parse(in);
  }

 private:
  std::filesystem::path path_;
};

template <class Call>
Error error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::Internal, "", "");
}

TEST(CharTokenizer, NumbersTheAlphabetAfterPadAndEnd) {
  const CharTokenizer tokenizer("0123+= \n", 16);
  EXPECT_EQ(tokenizer.encode("3+0=\n"), (Ids{5, 6, 2, 7, 9}));
  EXPECT_EQ(tokenizer.size(), 16);
  EXPECT_EQ(tokenizer.pad_token(), 0);
  EXPECT_EQ(tokenizer.end_token(), 1);
  EXPECT_EQ(CharTokenizer("0123+= \n").size(), 10);
}

TEST(CharTokenizer, DecodesWithoutSpecialAndReservedIds) {
  const CharTokenizer tokenizer("abc", 8);
  EXPECT_EQ(tokenizer.decode(Ids{0, 2, 7, 4, 5, 1}), "ac");
  const Error error = error_of([&] { tokenizer.decode(Ids{2, 8}); });
  EXPECT_EQ(error.kind(), ErrorKind::Data);
  EXPECT_EQ(error_of([&] { tokenizer.decode(Ids{-1}); }).kind(), ErrorKind::Data);
}

TEST(CharTokenizer, NamesTheUnknownCharacterAndItsPosition) {
  const CharTokenizer tokenizer("ab\u00e9");
  const Error error = error_of([&] { tokenizer.encode("a\u00e9xb"); });
  EXPECT_EQ(error.kind(), ErrorKind::Data);
  EXPECT_NE(std::string(error.what()).find("'x' at position 2"), std::string::npos) << error.what();
  const Error control = error_of([&] { tokenizer.encode("\n"); });
  EXPECT_NE(std::string(control.what()).find("0x0a"), std::string::npos) << control.what();
}

TEST(CharTokenizer, RefusesInvalidUtf8) {
  const CharTokenizer tokenizer("a");
  for (const char* text :
       {"a\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"}) {
    EXPECT_EQ(error_of([&] { tokenizer.encode(text); }).kind(), ErrorKind::Data);
    EXPECT_EQ(error_of([&] { CharTokenizer bad(text); }).kind(), ErrorKind::Config);
  }
}

TEST(CharTokenizer, RefusesRepeatedCharactersAndTooFewIds) {
  EXPECT_EQ(error_of([] { CharTokenizer bad("aba"); }).kind(), ErrorKind::Config);
  EXPECT_EQ(error_of([] { CharTokenizer bad("abc", 4); }).kind(), ErrorKind::Config);
  EXPECT_EQ(error_of([] { CharTokenizer bad("abc", -1); }).kind(), ErrorKind::Config);
}

TEST(CharTokenizer, RoundTripsEveryTextOfItsAlphabet) {
  const std::string alphabet = "0123456789+-*()= \n\"\\\u00e9\u4e2d\U0001F600";
  const CharTokenizer tokenizer(alphabet, 64);
  rc::check([&] {
    const auto picks = *rc::gen::container<std::vector<std::size_t>>(
        rc::gen::inRange<std::size_t>(0, tokenizer.characters().size()));
    std::string text;
    for (const std::size_t pick : picks) text += tokenizer.characters()[pick];
    const Ids ids = tokenizer.encode(text);
    RC_ASSERT(ids.size() == picks.size());
    RC_ASSERT(tokenizer.decode(ids) == text);
  });
}

TEST(CharTokenizer, LoadsWhatItSaves) {
  const Folder folder;
  const CharTokenizer tokenizer("01\"\\\n \u00e9", 16);
  tokenizer.save(folder.string());
  const CharTokenizer loaded = CharTokenizer::load(folder.string());
  EXPECT_EQ(loaded.size(), 16);
  EXPECT_EQ(loaded.characters(), tokenizer.characters());
  const std::string text = "\u00e9 \n1\\\"0";
  EXPECT_EQ(loaded.encode(text), tokenizer.encode(text));
}

// What the tokenizers library reads: the fields its WordLevel, Split and Fuse parts require.
TEST(CharTokenizer, WritesTheFieldsOfAFastTokenizer) {
  const Folder folder;
  CharTokenizer("ab", 6).save(folder.string());
  const nlohmann::json json = folder.read("tokenizer.json");
  EXPECT_EQ(json["version"], "1.0");
  EXPECT_EQ(json["model"]["type"], "WordLevel");
  EXPECT_EQ(json["model"]["vocab"].size(), 6u);
  EXPECT_FALSE(json["model"]["vocab"].contains(json["model"]["unk_token"]));
  EXPECT_EQ(json["pre_tokenizer"]["behavior"], "Isolated");
  EXPECT_EQ(json["decoder"]["type"], "Fuse");
  EXPECT_EQ(json["added_tokens"].size(), 4u);
  const nlohmann::json config = folder.read("tokenizer_config.json");
  EXPECT_EQ(config["eos_token"], "<end>");
  EXPECT_EQ(config["pad_token"], "<pad>");
}

TEST(CharTokenizer, RefusesFilesThatAreNotItsOwn) {
  const Folder folder;
  const auto refused = [&] {
    const Error error = error_of([&] { CharTokenizer::load(folder.string()); });
    EXPECT_NE(std::string(error.what()).find("tokenizer.json"), std::string::npos);
    return error.kind() == ErrorKind::Model;
  };
  EXPECT_TRUE(refused());  // no file
  for (const char* text :
       {"", "[]", "{", R"({"model":{"type":"BPE","vocab":{}}})", R"({"model":3})",
        R"({"model":{"type":"WordLevel","vocab":{"<pad>":0,"<end>":1,"ab":2}}})",
        R"({"model":{"type":"WordLevel","vocab":{"<pad>":0,"<end>":1,"a":1}}})",
        R"({"model":{"type":"WordLevel","vocab":{"<pad>":0,"<end>":1,"a":7}}})",
        R"({"model":{"type":"WordLevel","vocab":{"<pad>":0,"<end>":1,"<reserved_2>":2,"a":3}}})",
        R"({"model":{"type":"WordLevel","vocab":{"a":0,"b":1}}})"}) {
    folder.write(text);
    EXPECT_TRUE(refused()) << text;
  }
}

TEST(CharTokenizer, NamesTheFileItCannotWrite) {
  const Error error = error_of([] { CharTokenizer("a").save("/nonexistent/folder"); });
  EXPECT_EQ(error.kind(), ErrorKind::Model);
  EXPECT_NE(std::string(error.what()).find("/nonexistent/folder"), std::string::npos);
}

}  // namespace
}  // namespace allot
