#include "allot/tasks/data_set.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "allot/core/random.h"

namespace allot {
namespace {

DataRows parse(const std::string& text) {
  std::istringstream in(text);
  return parse_data_set(in, "rows.jsonl");
}

// The error's text; fails the test if there is none.
std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
    return error.what();
  }
  ADD_FAILURE() << "no error for: " << text;
  return "";
}

constexpr const char* kGood = R"({"prompt":"2+2=","answer":"4"})";

TEST(DataSet, ReadsColumns) {
  const DataRows rows = parse(
      "{\"prompt\":\"2+2=\",\"answer\":4}\n"
      "{\"id\":17,\"prompt\":\"a\",\"answer\":\"b\",\"demonstration\":\"c\"}\n"
      "{\"id\":\"aime-3\",\"prompt\":\"d\",\"answer\":\"e\"}\n");
  ASSERT_EQ(rows.prompts.size(), 3u);
  EXPECT_TRUE(rows.warnings().empty());
  EXPECT_EQ(rows.prompts[0].text, "2+2=");
  EXPECT_EQ(rows.prompts[0].answer, "4");
  EXPECT_EQ(rows.prompts[0].id, prompt_id("2+2=", "4"));
  EXPECT_EQ(rows.prompts[0].key, std::to_string(rows.prompts[0].id));
  EXPECT_EQ(rows.prompts[1].id, 17u);
  EXPECT_EQ(rows.prompts[1].key, "17");
  EXPECT_EQ(rows.prompts[1].demonstration, "c");
  EXPECT_EQ(rows.prompts[2].id, prompt_id("aime-3"));
  EXPECT_EQ(rows.prompts[2].key, "aime-3");
}

TEST(DataSet, NumbersKeepTheirSpelling) {
  for (const char* number : {"0", "-7", "18446744073709551615", "0.50", "1e3", "-0.125",
                             "123456789012345678901234567890"}) {
    const DataRows rows = parse(std::string(R"({"prompt":"p","answer":)") + number + "}");
    EXPECT_EQ(rows.prompts.at(0).answer, number);
  }
}

TEST(DataSet, AcceptsLineEndsEmptyLinesMarkAndEscapes) {
  const DataRows rows = parse(
      "\xEF\xBB\xBF{\"prompt\":\"a\",\"answer\":\"1\"}\r\n"
      "\n  \r\n"
      "{\"prompt\":\"\\u00e9\\n\",\"answer\":\"\xE2\x82\xAC\"}");
  ASSERT_EQ(rows.prompts.size(), 2u);
  EXPECT_EQ(rows.prompts[1].text, "\xC3\xA9\n");
  EXPECT_EQ(rows.prompts[1].answer, "\xE2\x82\xAC");
}

TEST(DataSet, WeightsOfPrompts) {
  const DataRows rows = parse(
      "{\"prompt\":\"a\",\"answer\":\"1\"}\n"
      "{\"prompt\":\"b\",\"answer\":\"1\",\"weight\":0.25}\n"
      "{\"prompt\":\"c\",\"answer\":\"1\",\"weight\":\"0\"}\n"
      "{\"prompt\":\"d\",\"answer\":\"1\",\"weight\":null}\n");
  ASSERT_EQ(rows.prompts.size(), 4u);
  EXPECT_EQ(rows.prompts[0].weight, 1);
  EXPECT_EQ(rows.prompts[1].weight, 0.25f);
  EXPECT_EQ(rows.prompts[2].weight, 0);
  EXPECT_EQ(rows.prompts[3].weight, 1);
  EXPECT_TRUE(rows.ignored.empty());
  for (const char* bad : {"-1", "\"much\"", "[1]", "1e99", "\"nan\"", "\"1 \""})
    EXPECT_THROW(parse(concat("{\"prompt\":\"a\",\"answer\":\"1\",\"weight\":", bad, "}")), Error)
        << bad;
}

TEST(DataSet, LargestId) {
  EXPECT_EQ(parse(R"({"id":9223372036854775807,"prompt":"a","answer":"1"})").prompts.at(0).id,
            9223372036854775807u);
}

// Every broken second line: the error names the file, line 2 and what is wrong.
TEST(DataSet, ErrorsNameFileAndLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"prompt":"a")", "not JSON"},
      {R"({"prompt":"a","answer":"b"} x)", "not JSON"},
      {R"({"prompt":"a","answer":"b"}{"prompt":"a","answer":"b"})", "not JSON"},
      {"nonsense", "not JSON"},
      {R"({"prompt":"a","answer":NaN})", "not JSON"},
      {R"({"prompt":"a","answer":1e999})", "not JSON"},
      {R"({"prompt":"\ud800","answer":"b"})", "not JSON"},
      {"{\"prompt\":\"a\tb\",\"answer\":\"b\"}", "not JSON"},
      {R"(["prompt"])", "a list, not an object"},
      {"3", "it is a number, not an object"},
      {R"("prompt")", "text, not an object"},
      {"null", "null, not an object"},
      {R"({"answer":"b"})", "'prompt' is missing"},
      {R"({"prompt":"a"})", "'answer' is missing"},
      {"{}", "'prompt' is missing"},
      {R"({"Prompt":"a","answer":"b"})", "'prompt' is missing"},
      {R"({"prompt":3,"answer":"b"})",
       "'prompt' is a number; text or a list of messages is needed"},
      {R"({"prompt":["a"],"answer":"b"})", "something else than messages"},
      {R"({"prompt":[{"role":"user"}],"answer":"b"})", "something else than messages"},
      {R"({"prompt":[{"role":"user","content":null}],"answer":"b"})",
       "something else than messages"},
      {R"({"prompt":[],"answer":"b"})", "'prompt' has no messages"},
      {R"({"prompt":"","answer":"b"})", "'prompt' is empty"},
      {R"({"prompt":"a","answer":true})", "'answer' is true or false"},
      {R"({"prompt":"a","answer":{"x":1}})", "'answer' is an object"},
      {R"({"prompt":"a","answer":[["1"]]})", "'answer' is a list"},
      {R"({"prompt":"a","answer":[]})", "'answer' is an empty list"},
      {R"({"prompt":"a","answer":"b","verifier":"meth"})", "no preset of the verifier"},
      {R"({"prompt":"a","answer":"b","demonstration":1})", "'demonstration' is a number"},
      {R"({"prompt":"a","prompt":"c","answer":"b"})", "'prompt' stands twice"},
      {R"({"prompt":"a","answer":"b","x":1,"x":1})", "'x' stands twice"},
      {R"({"id":-1,"prompt":"a","answer":"b"})", "'id' is a number: -1"},
      {R"({"id":9223372036854775808,"prompt":"a","answer":"b"})", "2^63 - 1 is needed"},
      {R"({"id":1.0,"prompt":"a","answer":"b"})", "2^63 - 1 is needed"},
      {R"({"id":null,"prompt":"a","answer":"b"})", "'id' is null"},
      {R"({"id":"","prompt":"a","answer":"b"})", "'id' is empty"},
      {"{\"prompt\":\"a\xFF\",\"answer\":\"b\"}", "byte 13 of the line is not valid UTF-8"},
      {"{\"prompt\":\"\xED\xA0\x80\",\"answer\":\"b\"}", "not valid UTF-8"},
      {std::string("{\"prompt\":\"a\",\"answer\":\"b\"}\0", 28), "not JSON"},
  };
  for (const auto& [line, expected] : cases) {
    const std::string message = error_of(std::string(kGood) + "\n" + line + "\n");
    EXPECT_NE(message.find("[rows.jsonl:2]"), std::string::npos) << line << "\n" << message;
    EXPECT_NE(message.find(expected), std::string::npos) << line << "\n" << message;
  }
}

TEST(DataSet, DeepNestingIsHarmless) {
  const std::string deep(200000, '[');
  EXPECT_NE(error_of(R"({"prompt":"a","answer":"b","x":)" + deep + "}").find("not JSON"),
            std::string::npos);
  const std::string closed = deep + std::string(deep.size(), ']');
  EXPECT_EQ(parse(R"({"prompt":"a","answer":"b","x":)" + closed + "}").prompts.size(), 1u);
}

// A3: the three styles give the same keys and answers.
TEST(DataSet, ThreeStylesAreOneDataSet) {
  const std::string question = R"("Tom has 3 bags of 400 nuts. How many nuts?")";
  const std::string worked = R"("3 bags are 3*400=<<3*400=1200>>1200 nuts.\n#### 1,200")";
  const std::string boxed = R"("There are $3\\cdot 400=\\boxed{1200}$ nuts.")";
  const auto read = [](const std::string& name, const std::string& text) {
    std::istringstream in(text);
    return parse_data_set(in, name);
  };
  const DataRows trl = read("a.jsonl", R"({"prompt":)" + question + R"(,"solution":"1200"})");
  const DataRows chat = read(
      "b.json", R"([{"prompt":[{"role":"user","content":)" + question + R"(}],"answer":1200}])");
  const DataRows verl = read(
      "c.jsonl", R"({"data_source":"openai/gsm8k","prompt":[{"role":"user","content":)" + question +
                     R"(}],"ability":"math","reward_model":{"style":"rule","ground_truth":"1200"},)"
                     R"("extra_info":{"split":"train","index":0}})");
  const DataRows gsm8k =
      read("d.jsonl", R"({"question":)" + question + R"(,"answer":)" + worked + "}");
  const DataRows math = read(
      "e.jsonl", R"({"problem":)" + question + R"(,"level":"Level 1","solution":)" + boxed + "}");
  const DataRows csv = read("f.csv", "question,answer\r\n" + question + ",1200\r\n");
  for (const DataRows* rows : {&trl, &chat, &verl, &gsm8k, &math, &csv}) {
    SCOPED_TRACE(rows->name);
    ASSERT_EQ(rows->prompts.size(), 1u);
    EXPECT_EQ(rows->prompts[0].text, trl.prompts[0].text);
    EXPECT_EQ(rows->prompts[0].answer, "1200");
    EXPECT_EQ(rows->prompts[0].id, trl.prompts[0].id);
    EXPECT_EQ(rows->prompts[0].key, trl.prompts[0].key);
  }
  EXPECT_EQ(trl.columns.style, "TRL");
  EXPECT_EQ(verl.columns.style, "verl");
  EXPECT_EQ(gsm8k.columns.style, "questions and answers");
  EXPECT_EQ(verl.prompts[0].verifier, "gsm8k");
  EXPECT_EQ(verl.ignored, (std::vector<std::string>{"ability", "extra_info"}));
  EXPECT_TRUE(gsm8k.worked && math.worked);
  EXPECT_FALSE(trl.worked || verl.worked);
  EXPECT_TRUE(gsm8k.prompts[0].demonstration.ends_with("#### 1,200"));
  EXPECT_EQ(chat.prompts[0].messages.size(), 1u);
  EXPECT_EQ(chat.format, DataFormat::JsonList);
  EXPECT_EQ(csv.format, DataFormat::Csv);
}

TEST(DataSet, NamedColumnsComeFirst) {
  std::istringstream in(
      R"({"input":{"text":"a"},"prompt":"no","target":7,"uid":"k","answer":"no"})");
  ColumnOptions columns;
  columns.prompt = "input.text";
  columns.answer = "target";
  columns.id = "uid";
  const DataRows rows = parse_data_set(in, "rows.jsonl", columns);
  EXPECT_EQ(rows.prompts[0].text, "a");
  EXPECT_EQ(rows.prompts[0].answer, "7");
  EXPECT_EQ(rows.prompts[0].key, "k");
  EXPECT_EQ(rows.ignored, (std::vector<std::string>{"answer", "prompt"}));
}

TEST(DataSet, PriorPassRates) {
  const DataRows rows = parse(
      "{\"prompt\":\"a\",\"answer\":\"1\"}\n"
      "{\"prompt\":\"b\",\"answer\":\"1\",\"prior_pass_rate\":0.25}\n"
      "{\"prompt\":\"c\",\"answer\":\"1\",\"prior_pass_rate\":1}\n"
      "{\"prompt\":\"d\",\"answer\":\"1\",\"prior_pass_rate\":null}\n");
  std::vector<std::optional<float>> rates;
  for (const Prompt& prompt : rows.prompts) rates.push_back(prompt.prior_pass_rate);
  EXPECT_EQ(rates, (std::vector<std::optional<float>>{std::nullopt, .25f, 1.f, std::nullopt}));
  EXPECT_TRUE(rows.ignored.empty());
  for (const char* bad : {"1.5", "-0.1", "\"high\"", "[0.5]", "1e999"})
    EXPECT_THROW(parse(concat(R"({"prompt":"a","answer":"1","prior_pass_rate":)", bad, "}")), Error)
        << bad;
  try {
    parse(std::string(kGood) + "\n" + R"({"prompt":"x","answer":"1","prior_pass_rate":1.5})");
    ADD_FAILURE();
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("rows.jsonl:2] 'prior_pass_rate' is a number: 1.5"), std::string::npos)
        << text;
  }
  std::istringstream csv("prompt,answer,prior_pass_rate\na,1,0.5\nb,2,\n");
  const DataRows table = parse_data_set(csv, "rows.csv");
  EXPECT_EQ(table.prompts[0].prior_pass_rate, .5f);
  EXPECT_EQ(table.prompts[1].prior_pass_rate, std::nullopt);
}

TEST(DataSet, AListOfAnswersIsAcceptedInPart) {
  const DataRows rows = parse(R"({"prompt":"a","answer":["1", 2.50]})");
  EXPECT_EQ(rows.prompts[0].answer, "1");
  EXPECT_EQ(rows.prompts[0].accepted, (std::vector<std::string>{"2.50"}));
}

TEST(DataSet, PresetsAskAndKeepTheKey) {
  DataRows rows =
      parse(std::string(kGood) + "\n" +
            R"({"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u"}],)"
            R"("answer":"4"})");
  const PromptId id = rows.prompts[0].id;
  instruct(rows.prompts, PromptPreset::Math);
  EXPECT_EQ(rows.prompts[0].text,
            "2+2=\nPlease reason step by step, and put your final answer within \\boxed{}.");
  EXPECT_EQ(rows.prompts[0].id, id);
  EXPECT_EQ(rows.prompts[1].messages[0].content, "s");
  EXPECT_TRUE(rows.prompts[1].messages[1].content.starts_with("u\nPlease reason"));
  EXPECT_EQ(rows.prompts[1].text, message_text(rows.prompts[1].messages));
}

TEST(DataSet, BadGoldsAreDroppedRefusedOrKept) {
  const std::string text = R"({"prompt":"a","answer":"\\frac{1}{2}"})"
                           "\n"
                           R"({"prompt":"b","answer":"))(("})";
  DataSetOptions options;
  options.reward = Reward::Math;
  DataRows rows = parse(text);
  check_golds(rows, options);
  ASSERT_EQ(rows.prompts.size(), 1u);
  EXPECT_EQ(rows.bad_gold.count, 1u);
  options.bad_gold = BadGold::KeepAsText;
  rows = parse(text);
  check_golds(rows, options);
  ASSERT_EQ(rows.prompts.size(), 2u);
  EXPECT_EQ(rows.prompts[1].verifier, "exact");
  options.bad_gold = BadGold::Error;
  rows = parse(text);
  EXPECT_THROW(check_golds(rows, options), Error);
  options.reward = Reward::Exact;
  check_golds(rows, options);
  EXPECT_EQ(rows.prompts.size(), 2u);
}

TEST(DataSet, NestedColumnsAreNotOurs) {
  const DataRows rows = parse(
      R"({"extra":{"prompt":"no","id":-1,"id":2},"prompt":"a","more":[{"answer":0}],"answer":"b"})");
  EXPECT_EQ(rows.prompts.at(0).text, "a");
  EXPECT_EQ(rows.prompts.at(0).answer, "b");
  ASSERT_EQ(rows.warnings().size(), 1u);
  EXPECT_NE(rows.warnings()[0].find("ignored: extra, more"), std::string::npos)
      << rows.warnings()[0];
}

TEST(DataSet, TwoDifferentRowsWithOneIdAreAnError) {
  for (const char* second :
       {R"({"id":5,"prompt":"a","answer":"2"})", R"({"id":5,"prompt":"b","answer":"1"})",
        R"({"id":5,"prompt":"a","answer":"1","demonstration":"x"})"}) {
    const std::string message =
        error_of(R"({"id":5,"prompt":"a","answer":"1"})" + std::string("\n\n") + second);
    EXPECT_NE(message.find("[rows.jsonl:3]"), std::string::npos) << message;
    EXPECT_NE(message.find("line 1"), std::string::npos) << message;
    EXPECT_NE(message.find("'5'"), std::string::npos) << message;
  }
}

TEST(DataSet, TheSameRowTwiceIsOneKeyAndOneWarning) {
  const std::string good = std::string(kGood) + "\n";
  const DataRows rows = parse(good + good + R"({"prompt":"a","answer":"1"})" + "\n" + good);
  EXPECT_EQ(rows.prompts.size(), 2u);
  ASSERT_EQ(rows.warnings().size(), 1u);
  EXPECT_NE(rows.warnings()[0].find("2 row(s) repeat"), std::string::npos) << rows.warnings()[0];
  EXPECT_NE(rows.warnings()[0].find("line 2 repeats line 1"), std::string::npos);
}

TEST(DataSet, ConflictingAnswersAndEmptyAnswersAreWarned) {
  const DataRows rows = parse(
      "{\"prompt\":\"a\",\"answer\":\"1\"}\n{\"prompt\":\"a\",\"answer\":\"2\"}\n"
      "{\"prompt\":\"b\",\"answer\":\" \"}\n{\"prompt\":\"c\",\"answer\":\"\"}\n"
      "{\"prompt\":\"d\",\"answer\":null}\n");
  EXPECT_EQ(rows.prompts.size(), 2u);
  ASSERT_EQ(rows.warnings().size(), 2u);
  EXPECT_NE(rows.warnings()[0].find("3 row(s) with an empty answer"), std::string::npos);
  EXPECT_NE(rows.warnings()[0].find("line 3"), std::string::npos);
  EXPECT_NE(rows.warnings()[1].find("lines 1 and 2"), std::string::npos);
}

TEST(DataSet, NoRowsIsAnError) {
  EXPECT_NE(error_of("").find("rows.jsonl"), std::string::npos);
  EXPECT_NE(error_of("\n\n").find("no row"), std::string::npos);
  EXPECT_NE(error_of(R"({"prompt":"a","answer":""})").find("no row"), std::string::npos);
}

TEST(DataSet, FilesThatCannotBeReadAreNamed) {
  for (const std::string& path :
       {std::string("no/such/file.jsonl"), std::filesystem::temp_directory_path().string()}) {
    try {
      read_data_set(path);
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
      EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
    }
  }
}

// Truncations and random changes of a good file: rows or an Error(Data), nothing else.
TEST(DataSet, BrokenFilesNeverCrash) {
  const std::string good = std::string(kGood) + "\n" +
                           R"({"id":"x","prompt":"\u00e9","answer":-1.5e3,"demonstration":""})" +
                           "\n" + R"({"id":3,"prompt":"b","answer":"c","z":[1,{"y":null}]})" + "\n";
  int read = 0, refused = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    RandomStream random({4, RandomUse::Test, 0, i});
    std::string text = good.substr(0, random.below(good.size() + 1));
    for (std::uint64_t k = random.below(4); k > 0 && !text.empty(); --k)
      text[random.below(text.size())] = static_cast<char>(random.below(256));
    try {
      read += !parse(text).prompts.empty();
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::Data);
      ++refused;
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 100);
}

TEST(SplitRows, ExactSharesIndependentOfOrder) {
  std::vector<Prompt> prompts(50);
  for (std::size_t i = 0; i < prompts.size(); ++i) prompts[i].id = i;
  const auto ids = [](const std::vector<Prompt>& side) {
    std::set<PromptId> all;
    for (const Prompt& prompt : side) all.insert(prompt.id);
    return all;
  };
  const DataSplit split = split_rows(prompts, 0.2);
  EXPECT_EQ(split.test.size(), 10u);
  EXPECT_EQ(split.train.size(), 40u);
  std::set<PromptId> all = ids(split.train);
  all.merge(ids(split.test));
  EXPECT_EQ(all.size(), 50u);
  EXPECT_NE(ids(split.test), (std::set<PromptId>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  std::reverse(prompts.begin(), prompts.end());
  EXPECT_EQ(ids(split_rows(prompts, 0.2).test), ids(split.test));
  EXPECT_EQ(split_rows(prompts, 0.001).test.size(), 1u);
  EXPECT_EQ(split_rows(prompts, 0.999).train.size(), 1u);
  EXPECT_THROW(split_rows({Prompt{}}, 0.5), Error);
}

}  // namespace
}  // namespace allot
