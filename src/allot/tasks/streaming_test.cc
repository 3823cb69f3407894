// Prompts that stay in their file are the same task as prompts in memory: ids, order, hash, texts,
// what is said about the file, saved cursors, mistakes. And what happens to a file that changes.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/core/random.h"
#include "allot/core/testing/temporary_folder.h"
#include "allot/tasks/file_task.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// A row of every kind that there is, and of most mistakes that are no error.
std::string row(std::size_t i) {
  const std::string n = std::to_string(i);
  switch (i % 11) {
    case 0:
      return R"({"prompt":"Count ü to )" + n + R"(","answer":")" + n + R"(","weight":0.5})";
    case 1:
      return R"({"prompt":"id )" + n + R"(","answer":)" + n + R"(,"id":)" + n + "}";
    case 2:
      return R"({"prompt":"id )" + n + R"(","answer":"x","id":"row-)" + n + R"(","extra":[1,{}]})";
    case 3:  // worked out
      return R"({"prompt":"work )" + n + R"(","answer":"first 1, then\n#### )" + n + R"("})";
    case 4:  // repeats
      return R"({"prompt":"the same again","answer":"7"})";
    case 5:  // conflicts
      return R"({"prompt":"the same again","answer":")" + n + R"("})";
    case 6:
      return R"({"prompt":"nothing )" + n + R"(","answer":""})";
    case 7:  // a gold that cannot be read
      return R"({"prompt":"bad )" + n + R"(","answer":"\\frac{1}{"})";
    case 8:
      return R"({"prompt":[{"role":"system","content":"s"},{"role":"user","content":"u)" + n +
             R"("}],"answer":["1","2"],"verifier":"gsm8k"})";
    case 9:
      return R"({"prompt":"rated )" + n + R"(","answer":"4","prior_pass_rate":0.25})";
    default:
      return R"(  {"prompt":"THE SAME, )" + n + R"(!","answer":"1/2","demonstration":"0.5"}  )";
  }
}

std::string lines(std::size_t rows) {
  std::string text = "\xEF\xBB\xBF\n";
  for (std::size_t i = 0; i < rows; ++i) text += row(i) + (i % 5 == 0 ? "\r\n" : "\n");
  return text + "\n  \n";
}

std::string json_list(std::size_t rows) {
  std::string text = "[";
  for (std::size_t i = 0; i < rows; ++i) text += (i > 0 ? ",\n" : "") + row(i);
  return text + "]\n";
}

class StreamedTask : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }
  static Task task(TaskOptions options, Streaming stream) {
    options.task = "jsonl";
    options.jsonl.stream = stream;
    return make_file_task(options, 11);
  }

  testing::TemporaryFolder folder_;
};

void expect_same(const Prompt& a, const Prompt& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.answer, b.answer);
  EXPECT_EQ(a.demonstration, b.demonstration);
  EXPECT_EQ(a.accepted, b.accepted);
  EXPECT_EQ(a.verifier, b.verifier);
  EXPECT_EQ(a.weight, b.weight);
  EXPECT_EQ(a.prior_pass_rate, b.prior_pass_rate);
  ASSERT_EQ(a.messages.size(), b.messages.size());
  for (std::size_t i = 0; i < a.messages.size(); ++i) {
    EXPECT_EQ(a.messages[i].role, b.messages[i].role);
    EXPECT_EQ(a.messages[i].content, b.messages[i].content);
  }
}

void expect_same(PromptSet& a, PromptSet& b) {
  EXPECT_FALSE(a.list().is_streamed());
  EXPECT_TRUE(b.list().is_streamed());
  ASSERT_EQ(a.ids(), b.ids());
  EXPECT_EQ(a.hash(), b.hash());
  for (const PromptId id : a.ids()) expect_same(a.get(id), b.get(id));
  for (std::uint64_t step = 0; step < 6; ++step) {
    a.begin_step(step), b.begin_step(step);
    const Draw draw = step % 3 == 0 ? Draw::Stream : step % 3 == 1 ? Draw::Uniform : Draw::Pool;
    for (const std::size_t wanted : {5u, 40u}) {
      const auto x = a.candidates(wanted, draw), y = b.candidates(wanted, draw);
      ASSERT_EQ(x.size(), y.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        EXPECT_EQ(x[i].id, y[i].id);
        EXPECT_EQ(x[i].epoch, y[i].epoch);
        EXPECT_EQ(x[i].prior_pass_rate, y[i].prior_pass_rate);
      }
      if (draw == Draw::Pool) break;
    }
    EXPECT_EQ(a.save(), b.save());
  }
  b.load(a.save());
  a.load(b.save());
}

TEST_F(StreamedTask, IsTheTaskInMemory) {
  const std::string held_out = file("test.jsonl", lines(37));
  for (const std::string& path : {file("a.jsonl", lines(300)), file("b.json", json_list(300))})
    for (const BadGold bad : {BadGold::Drop, BadGold::KeepAsText})
      for (const PromptPreset preset : {PromptPreset::None, PromptPreset::Gsm8k})
        for (const std::string& eval : {std::string(), held_out}) {
          TaskOptions options;
          options.train = path;
          options.eval = eval;
          options.jsonl.bad_gold = bad;
          options.jsonl.preset = preset;
          Task whole = task(options, Streaming::Never), streamed = task(options, Streaming::Always);
          EXPECT_EQ(whole.notes.warnings, streamed.notes.warnings);
          EXPECT_GE(whole.notes.warnings.size(), 5u);
          ASSERT_EQ(whole.notes.notices.size(), streamed.notes.notices.size());
          for (std::size_t i = 0; i < whole.notes.notices.size(); ++i)
            EXPECT_EQ(whole.notes.notices[i] + "; they stay in the file",
                      streamed.notes.notices[i]);
          EXPECT_EQ(whole.alphabet, streamed.alphabet);
          EXPECT_EQ(whole.longest_prompt, streamed.longest_prompt);
          EXPECT_EQ(whole.longest_response, streamed.longest_response);
          EXPECT_EQ(whole.flexible == nullptr, streamed.flexible == nullptr);
          expect_same(*whole.train, *streamed.train);
          expect_same(*whole.test, *streamed.test);
        }
}

TEST_F(StreamedTask, SoIsASetToEvaluateOn) {
  TaskOptions options;
  options.jsonl.preset = PromptPreset::Math;
  const NamedFile named{"set", file("set.jsonl", lines(60))};
  options.jsonl.stream = Streaming::Never;
  HeldOutSet whole = read_held_out(named, options, 0);
  options.jsonl.stream = Streaming::Always;
  HeldOutSet streamed = read_held_out(named, options, 0);
  EXPECT_EQ(whole.notes.warnings, streamed.notes.warnings);
  expect_same(*whole.prompts, *streamed.prompts);
}

TEST_F(StreamedTask, MistakesAreTheSame) {
  const std::string good = R"({"prompt":"a","answer":"1","id":"k"})"
                           "\n";
  const char* const kBad[] = {R"({"prompt":"b","answer":"1","id":"k"})",
                              R"({"prompt":"b"})",
                              "[1]",
                              R"({"prompt":"b","answer":"1")",
                              "\xFF",
                              R"({"prompt":"b","answer":"1","prior_pass_rate":2})"};
  for (const char* bad : kBad) {
    TaskOptions options;
    options.train = file("bad.jsonl", good + good + bad + "\n");
    const std::string whole = error_of([&] { task(options, Streaming::Never); });
    EXPECT_NE(whole, "no error");
    EXPECT_EQ(error_of([&] { task(options, Streaming::Always); }), whole);
  }
  TaskOptions options;
  options.jsonl.reward = Reward::Math;
  options.jsonl.bad_gold = BadGold::Error;
  options.train = file("gold.jsonl", good + R"({"prompt":"b","answer":"\\frac{1}{"})" + "\n");
  EXPECT_EQ(error_of([&] { task(options, Streaming::Always); }),
            error_of([&] { task(options, Streaming::Never); }));
  options.train = (folder_ / "absent.jsonl").string();
  EXPECT_EQ(error_of([&] { task(options, Streaming::Always); }),
            error_of([&] { task(options, Streaming::Never); }));
}

TEST_F(StreamedTask, CsvIsReadWhole) {
  TaskOptions options;
  options.train = file("rows.csv", "prompt,answer\na,1\nb,2\nc,3\n");
  EXPECT_FALSE(task(options, Streaming::Auto).train->list().is_streamed());
  EXPECT_NE(error_of([&] { task(options, Streaming::Always); }).find("rows.csv] CSV was given"),
            std::string::npos);
}

TEST_F(StreamedTask, AFileThatIsWrittenToIsAnError) {
  TaskOptions options;
  options.train = file("rows.jsonl", lines(50));
  const Task streamed = task(options, Streaming::Always);
  const PromptSet& train = *streamed.train;
  const Prompt& known = train.get(train.ids()[0]);
  std::ofstream(options.train, std::ios::app) << row(51) << "\n";
  EXPECT_EQ(&train.get(train.ids()[0]), &known) << "what is in memory stays";
  EXPECT_NE(error_of([&] {
              train.get(train.ids()[1]);
            }).find("rows.jsonl] the file was changed while its rows are in use"),
            std::string::npos);
}

// A file system may keep times too coarsely to tell; then the row itself does.
TEST_F(StreamedTask, ARowThatIsAnotherIsAnErrorToo) {
  TaskOptions options;
  const std::string text = lines(50);
  options.train = file("rows.jsonl", text);
  const fs::file_time_type time = fs::last_write_time(options.train);
  for (const char* other : {"7\",\"answer\":\"8\"", "garbage"}) {
    file("rows.jsonl", text);
    fs::last_write_time(options.train, time);
    const Task streamed = task(options, Streaming::Always);
    std::string changed = text;
    const std::size_t size = std::string(other).size();
    for (std::size_t at = 0; (at = changed.find("\"answer\":", at)) != std::string::npos;
         at += size)
      changed.replace(at, size, other);
    file("rows.jsonl", changed);
    fs::last_write_time(options.train, time);
    for (const PromptId id : streamed.train->ids()) {
      const std::string error = error_of([&] { streamed.train->get(id); });
      EXPECT_NE(error.find("the file was changed"), std::string::npos) << error;
    }
  }
}

// Ids that are written out stay the same when an answer changes.
TEST_F(StreamedTask, ARowWithAnotherAnswerIsAnErrorToo) {
  TaskOptions options;
  options.train = file("rows.jsonl", R"({"id":1,"prompt":"a","answer":"7"}
{"id":2,"prompt":"b","answer":"7"})");
  const fs::file_time_type time = fs::last_write_time(options.train);
  const Task streamed = task(options, Streaming::Always);
  file("rows.jsonl", R"({"id":1,"prompt":"a","answer":"8"}
{"id":2,"prompt":"b","answer":"8"})");
  fs::last_write_time(options.train, time);
  for (const PromptId id : streamed.train->ids()) {
    const std::string error = error_of([&] { streamed.train->get(id); });
    EXPECT_NE(error.find("the file was changed"), std::string::npos) << error;
  }
}

TEST_F(StreamedTask, AFileThatIsReplacedIsStillTheOldOne) {
  TaskOptions options;
  options.train = file("rows.jsonl", lines(50));
  const Task whole = task(options, Streaming::Never), streamed = task(options, Streaming::Always);
  fs::rename(file("other.jsonl", lines(20)), options.train);
  for (const PromptId id : whole.train->ids())
    expect_same(whole.train->get(id), streamed.train->get(id));
}

TEST_F(StreamedTask, AllAtOnceCannotBeHad) {
  TaskOptions options;
  options.train = file("rows.jsonl", lines(50));
  const Task streamed = task(options, Streaming::Always);
  EXPECT_NE(error_of([&] { streamed.train->prompts(); }).find("one by one"), std::string::npos);
}

}  // namespace
}  // namespace allot
