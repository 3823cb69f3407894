#include "allot/tasks/registry.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "allot/core/error.h"
#include "allot/tasks/alphabet.h"

namespace allot {
namespace {

std::string config_error(const TaskOptions& options) {
  try {
    make_task(options, 0);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error for task " << options.task;
  return "";
}

Rollout said_to(PromptId prompt, std::string text) {
  Rollout rollout;
  rollout.prompt = prompt;
  rollout.text = std::move(text);
  return rollout;
}

std::vector<std::string> built_in() {
  std::vector<std::string> names;
  for (const TaskInfo& task : tasks())
    if (task.name != "jsonl") names.push_back(task.name);
  return names;
}

TEST(Registry, FourBuiltInTasksAndJsonl) {
  EXPECT_EQ(built_in(),
            (std::vector<std::string>{"digit_sort", "addition", "chain_arithmetic", "countdown"}));
  EXPECT_EQ(tasks().back().name, "jsonl");
  for (const TaskInfo& task : tasks()) {
    EXPECT_FALSE(task.summary.empty());
    EXPECT_FALSE(task.prompt.empty());
    EXPECT_FALSE(task.response.empty());
  }
}

TEST(Registry, ATaskIsWhole) {
  for (const std::string& name : built_in()) {
    TaskOptions options;
    options.task = name;
    const Task task = make_task(options, 3);
    EXPECT_EQ(task.train->size(), 2000u) << name;
    EXPECT_EQ(task.test->size(), 1000u) << name;
    EXPECT_EQ(task.alphabet, kAlphabet);
    EXPECT_GT(task.longest_prompt, 0u);
    EXPECT_GT(task.longest_response, 0u);
    EXPECT_TRUE(task.notes.warnings.empty());
    std::vector<Rollout> rollouts;
    for (const PromptId id : task.test->ids())
      rollouts.push_back(said_to(id, task.test->get(id).demonstration));
    rollouts.push_back(said_to(task.test->ids()[0], "?"));
    const std::vector<Score> scores = task.verifier->score(rollouts, *task.test);
    ASSERT_EQ(scores.size(), rollouts.size());
    for (std::size_t i = 0; i + 1 < scores.size(); ++i) ASSERT_TRUE(scores[i].correct) << name;
    EXPECT_FALSE(scores.back().correct);
  }
}

TEST(Registry, TheSeedOrdersAndTheOptionsChoosePrompts) {
  TaskOptions options;
  const Task a = make_task(options, 1), b = make_task(options, 2), again = make_task(options, 1);
  options.digit_sort.sizes.seed = 1;
  const Task c = make_task(options, 1);
  EXPECT_EQ(a.train->hash(), b.train->hash());
  EXPECT_NE(a.train->hash(), c.train->hash());
  const auto first = [](const Task& task) {
    std::vector<PromptId> ids;
    for (const PromptRef& ref : task.train->candidates(20, Draw::Stream)) ids.push_back(ref.id);
    return ids;
  };
  const std::vector<PromptId> order = first(a);
  EXPECT_NE(order, first(b));
  EXPECT_EQ(order, first(again));
}

TEST(Registry, UnknownTasksNameTheNearest) {
  TaskOptions options;
  options.task = "digitsort";
  const std::string message = config_error(options);
  EXPECT_NE(message.find("did you mean 'digit_sort'?"), std::string::npos) << message;
  EXPECT_NE(message.find("countdown"), std::string::npos) << message;
  options.task = "";
  EXPECT_NE(config_error(options).find("data.task"), std::string::npos);
}

TEST(Registry, WrongOptionsAreNamed) {
  TaskOptions options;
  options.task = "jsonl";
  EXPECT_NE(config_error(options).find("data.train"), std::string::npos);
  options.task = "addition";
  options.eval = "x.jsonl";
  EXPECT_NE(config_error(options).find("data.task=jsonl"), std::string::npos);
  options.eval.clear();
  options.addition.digits.weights = {1, 2};
  EXPECT_NE(config_error(options).find("data.addition.digits.weights"), std::string::npos);
  options.task = "countdown";
  options.countdown.numbers.min = 5;
  EXPECT_NE(config_error(options).find("data.countdown.numbers"), std::string::npos);
}

TEST(Registry, OptionsAreSetByKey) {
  TaskOptions options;
  OptionList list = OptionList::of(options, "data");
  list.set("data.task", "addition", "--set");
  list.set("data.addition.digits.max", "2", "--set");
  list.set("data.addition.digits.weights", "[1, 9]", "--set");
  list.set("data.addition.train", "100", "--set");
  list.set("data.addition.test", "50", "--set");
  const Task task = make_task(options, 0);
  EXPECT_EQ(task.train->size(), 100u);
  EXPECT_EQ(task.longest_prompt, 7u);
  EXPECT_THROW(list.set("data.addition.digits.max", "19", "--set"), Error);
  EXPECT_THROW(list.set("data.countdown.numbers.min", "1", "--set"), Error);
}

TEST(Registry, MakesAVerifierWithoutDrawingPrompts) {
  TaskOptions options;
  options.task = "addition";
  Prompt prompt;
  prompt.text = "2+3=";
  prompt.answer = "5";
  const PromptSet prompts({prompt}, 0);
  Rollout rollout;
  rollout.text = "5";
  EXPECT_TRUE(make_verifier(options)->score({&rollout, 1}, prompts)[0].correct);
  rollout.text = "6";
  EXPECT_FALSE(make_verifier(options)->score({&rollout, 1}, prompts)[0].correct);
  options.task = "jsonl";  // without a file
  rollout.text = " 5 ";
  EXPECT_TRUE(make_verifier(options)->score({&rollout, 1}, prompts)[0].correct);
  options.task = "adition";
  EXPECT_THROW(make_verifier(options), Error);
}

// ---- jsonl ----

class JsonlTask : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              (std::string("allot_tasks_") +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  std::filesystem::path folder_;
};

TEST_F(JsonlTask, TwoFiles) {
  TaskOptions options;
  options.task = "jsonl";
  options.train = write("train.jsonl",
                        "{\"prompt\":\"Who?\",\"answer\":\"Me\",\"x\":1}\n"
                        "{\"prompt\":\"2+2=\",\"answer\":4,\"demonstration\":\"2+2 is 4\"}\n");
  options.eval = write("eval.jsonl", "{\"prompt\":\"Who?\",\"answer\":\"Me\"}\n");
  const Task task = make_task(options, 0);
  EXPECT_EQ(task.train->size(), 2u);
  EXPECT_EQ(task.test->size(), 1u);
  EXPECT_EQ(task.longest_prompt, 4u);
  EXPECT_EQ(task.longest_response, 8u);
  EXPECT_EQ(task.alphabet, std::string(kAlphabet) + "MW");
  ASSERT_EQ(task.notes.warnings.size(), 2u);  // an ignored column, a leaked prompt
  EXPECT_NE(task.notes.warnings[1].find("1 of 1 held-out"), std::string::npos)
      << task.notes.warnings[1];
  const std::vector<Rollout> rollouts = {said_to(task.test->ids()[0], " Me "),
                                         said_to(task.test->ids()[0], "me")};
  const std::vector<Score> scores = task.verifier->score(rollouts, *task.test);
  EXPECT_TRUE(scores[0].correct);
  EXPECT_FALSE(scores[1].correct);
}

TEST_F(JsonlTask, OneFileIsSplit) {
  std::string rows;
  for (int i = 0; i < 40; ++i)
    rows += "{\"prompt\":\"" + std::to_string(i) + "\",\"answer\":\"" + std::to_string(i) + "\"}\n";
  TaskOptions options;
  options.task = "jsonl";
  options.train = write("all.jsonl", rows);
  options.jsonl.test_share = 0.25;
  const Task task = make_task(options, 0);
  EXPECT_EQ(task.train->size(), 30u);
  EXPECT_EQ(task.test->size(), 10u);
  EXPECT_TRUE(task.notes.warnings.empty());
}

TEST_F(JsonlTask, ConversationsKeepTheirMessagesAndHaveATextOfTheirOwn) {
  TaskOptions options;
  options.task = "jsonl";
  options.train = options.eval = write("chat.jsonl",
                                       "{\"prompt\":[{\"role\":\"user\",\"content\":\"2+2=\"}],"
                                       "\"answer\":\"4\",\"verifier\":\"math\"}\n");
  const Task task = make_task(options, 0);
  EXPECT_EQ(task.train->get(task.train->ids()[0]).text, "2+2=");
  EXPECT_EQ(task.train->get(task.train->ids()[0]).messages.size(), 1u);
  ASSERT_EQ(task.notes.notices.size(), 2u);
  EXPECT_NE(task.notes.notices[0].find("read as TRL (prompt <- prompt, answer <- answer"),
            std::string::npos)
      << task.notes.notices[0];
  // The row names its verifier; without one this would be compared as text.
  const std::vector<Rollout> rollouts = {said_to(task.test->ids()[0], "so \\boxed{4.0}")};
  EXPECT_TRUE(task.verifier->score(rollouts, *task.test)[0].correct);
}

TEST_F(JsonlTask, BrokenFilesAreNamed) {
  TaskOptions options;
  options.task = "jsonl";
  options.train = write("broken.jsonl", "{\"prompt\":\"a\",\"answer\":\"b\"}\n{\"prompt\":\n");
  for (const std::string expected : {"broken.jsonl:2", "missing.jsonl"}) {
    try {
      make_task(options, 0);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
    options.train = (folder_ / "missing.jsonl").string();
  }
}

// ---- docs/tasks.md is up to date ----

std::string documentation() {
  std::ifstream in(ALLOT_SOURCE_DIR "/docs/tasks.md");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The rows of the options table whose key is `section` plus one name, or, below data, anything.
std::string table_of(const std::string& section) {
  TaskOptions options;
  std::istringstream in(OptionList::of(options, "data").docs_table());
  std::string table, line;
  for (int number = 0; std::getline(in, line); ++number) {
    const std::string start = "| `" + section + ".";
    const bool ours =
        line.starts_with(start) &&
        (section != "data" ||
         line.substr(start.size(), line.find("` |") - start.size()).find('.') == std::string::npos);
    if (number < 2 || ours) table += line + "\n";
  }
  return table;
}

TEST(TaskDocumentation, OptionTablesAreUpToDate) {
  const std::string text = documentation();
  std::vector<std::string> sections = {"data", "data.columns", "data.jsonl"};
  for (const std::string& name : built_in()) sections.push_back("data." + name);
  for (const std::string& section : sections) {
    const std::string begin = "<!-- options:begin " + section + " -->\n";
    const std::size_t at = text.find(begin);
    ASSERT_NE(at, std::string::npos) << "docs/tasks.md has no table of " << section;
    const std::size_t body = at + begin.size();
    const std::size_t end = text.find("<!-- options:end -->", body);
    ASSERT_NE(end, std::string::npos) << section;
    EXPECT_EQ(text.substr(body, end - body), table_of(section))
        << "put this table between the markers of " << section << " in docs/tasks.md:\n"
        << table_of(section);
  }
}

TEST(TaskDocumentation, ShowsEveryTasksExample) {
  const std::string text = documentation();
  for (const TaskInfo& task : tasks()) {
    const std::string row = "| `" + task.name + "` | " + task.summary + " | `" + task.prompt +
                            "` | `" + task.response + "` |";
    EXPECT_NE(text.find(row), std::string::npos) << "docs/tasks.md lacks the row\n" << row;
  }
}

}  // namespace
}  // namespace allot
