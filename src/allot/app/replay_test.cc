// Replays of hand-written outcomes: the golden cases of the methods' specifications through text,
// refills and surplus over several steps, and every kind of broken input.
#include "allot/app/replay.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

using nlohmann::json;
using Settings = std::vector<std::pair<std::string, std::string>>;

ReplayOptions options_of(const std::string& method, const Settings& settings) {
  ReplayOptions options;
  OptionList list = OptionList::of(options);
  list.set("alloc.method", method, "test");
  for (const auto& [key, value] : settings) list.set(key, value, "test");
  return options;
}

std::vector<json> run(const std::string& method, const std::string& text,
                      const Settings& settings = {}, std::uint64_t seed = 1) {
  std::vector<json> lines;
  for (const std::string& line : replay(text, "file", options_of(method, settings), seed))
    lines.push_back(json::parse(line));
  return lines;
}

// One line: `right` correct outcomes, then `wrong` ones.
std::string prompt(const json& id, int right, int wrong, std::uint64_t step = 0) {
  json outcomes = json::array();
  for (int i = 0; i < right + wrong; ++i)
    outcomes.push_back({{"correct", i < right}, {"tokens", 5}});
  return json{{"prompt", id}, {"step", step}, {"outcomes", outcomes}}.dump() + "\n";
}

std::vector<json> of_kind(const std::vector<json>& lines, const std::string& kind) {
  std::vector<json> out;
  std::copy_if(lines.begin(), lines.end(), std::back_inserter(out),
               [&](const json& line) { return line["kind"] == kind; });
  return out;
}

json group_of(const std::vector<json>& lines, const json& prompt) {
  for (const json& line : of_kind(lines, "group"))
    if (line["prompt"] == prompt) return line;
  return nullptr;
}

// Advantages of a group's items, largest first.
std::vector<double> advantages(const json& group) {
  std::vector<double> out;
  for (const json& item : group["items"]) out.push_back(item["advantage"]);
  std::sort(out.rbegin(), out.rend());
  return out;
}

void expect_advantages(const std::string& text, const Settings& settings, int positive, double a,
                       int negative, double b) {
  const auto got = advantages(group_of(run("aero", text, settings), 1));
  ASSERT_EQ(got.size(), static_cast<std::size_t>(positive + negative));
  for (int i = 0; i < positive + negative; ++i) EXPECT_NEAR(got[i], i < positive ? a : b, 5e-7);
}

TEST(Replay, AeroStrata) {
  expect_advantages(prompt(1, 1, 7), {}, 1, 1, 1, -1);
  expect_advantages(prompt(1, 3, 5), {}, 3, 1, 3, -1);
  expect_advantages(prompt(1, 4, 4), {}, 4, 1, 4, -1);
  expect_advantages(prompt(1, 5, 3), {}, 5, .774597, 3, -1.290994);
}

TEST(Replay, AeroOneSidedGroups) {
  expect_advantages(prompt(1, 0, 8), {{"alloc.aero.rescue_rounds", "0"}}, 0, 0, 4, -1.0 / 3);
  expect_advantages(prompt(1, 8, 0), {}, 4, 1.0 / 3, 0, 0);
  expect_advantages(prompt(1, 0, 16), {}, 0, 0, 4, -.242536);  // the pool of one prompt is 8
  expect_advantages(prompt(1, 0, 28), {{"alloc.budget.rollouts", "28"}}, 0, 0, 4, -.185695);
}

TEST(Replay, AeroSharesItsPool) {
  std::string text;
  for (const int id : {1, 2, 3, 4}) text += prompt(id, 0, 40);
  const auto lines = run("aero", text, {{"alloc.budget.rollouts", "38"}});
  const auto requests = of_kind(lines, "request");
  ASSERT_EQ(requests.size(), 7u);
  for (std::size_t i = 4; i < 7; ++i) {
    EXPECT_EQ(requests[i]["n"], 2);
    EXPECT_EQ(requests[i]["tag"], 1);
    EXPECT_EQ(requests[i]["round"], 1);
  }
  EXPECT_EQ(of_kind(lines, "batch")[0]["norm"], "per_group");
  EXPECT_EQ(of_kind(lines, "summary")[0]["rollouts"], 38);
}

TEST(Replay, LinesStandInTheOrderOfEvents) {
  const auto lines = run("grpo", prompt(7, 1, 3) + prompt("seven", 0, 4) + prompt(7, 2, 2, 5),
                         {{"alloc.group_size", "4"}});
  std::vector<std::string> kinds;
  for (const json& line : lines) kinds.push_back(line["kind"]);
  EXPECT_EQ(kinds, (std::vector<std::string>{"request", "request", "group", "group", "batch",
                                             "request", "group", "batch", "summary"}));
  EXPECT_EQ(lines[0], json::parse(R"({"kind": "request", "step": 0, "prompt": 7, "n": 4, "tag": 0,
                                      "round": 0})"));
  EXPECT_EQ(lines[3], json::parse(R"({"kind": "group", "step": 0, "prompt": "seven",
                                      "cause": "all_wrong", "admitted": false, "items": []})"));
  EXPECT_EQ(lines[4], json::parse(R"({"kind": "batch", "step": 0, "norm": "per_group", "z": 1})"));
  EXPECT_EQ(lines[5]["step"], 5);
  EXPECT_EQ(lines[8], json::parse(R"({"kind": "summary", "method": "grpo", "seed": 1, "steps": 2,
      "prompts": 3, "rollouts": 12, "shipped": 8, "groups": 2, "updates": 2})"));
  // Steps are played in ascending order wherever they stand.
  EXPECT_EQ(run("grpo", prompt(7, 2, 2, 5) + prompt(7, 1, 3) + prompt("seven", 0, 4),
                {{"alloc.group_size", "4"}}),
            lines);
}

TEST(Replay, GroupSizeIsSixteenUnlessGiven) {
  EXPECT_EQ(run("grpo", prompt(1, 8, 8))[0]["n"], 16);
  EXPECT_EQ(run("aero", prompt(1, 8, 8))[0]["n"], 8);
  EXPECT_EQ(run("grpo", prompt(1, 8, 8), {{"alloc.group_size", "4"}})[0]["n"], 4);
}

TEST(Replay, PromptsAreIntegersOrTextsAndPrintedAsGiven) {
  const std::uint64_t largest = (std::uint64_t{1} << 63) - 1;
  const auto lines = run("grpo", prompt(largest, 1, 15) + prompt("a \"b\"", 1, 15));
  EXPECT_EQ(lines[0]["prompt"], largest);
  EXPECT_EQ(lines[1]["prompt"], "a \"b\"");
}

TEST(Replay, RewardsAnswersAndTruncation) {
  const std::string text =
      R"({"prompt": 1, "outcomes": [{"reward": 2.5}, {"reward": 0.1, "correct": true}, )"
      R"({"reward": null, "correct": false}, )"
      R"({"correct": false, "answer": null, "truncated": true}]})";
  const auto lines = run("grpo", text, {{"alloc.group_size", "4"}, {"adv.scale", "none"}});
  const json items = lines[1]["items"];
  ASSERT_EQ(items.size(), 3u);  // the one without a reward is left out
  EXPECT_EQ(items[2]["index"], 3);
  EXPECT_NEAR(items[0]["advantage"], 2.5 - 2.6 / 3, 1e-6);
  // All wrong and without an answer has its own cause.
  const std::string mute = R"({"correct": false, "answer": null})";
  const auto silent = run("grpo", R"({"prompt": 1, "outcomes": [)" + mute + "," + mute + "]}",
                          {{"alloc.group_size", "2"}});
  EXPECT_EQ(silent[1]["cause"], "no_answer");
}

// Five groups wanted of 12 prompts: ten are shown, the two others can only come by a refill.
TEST(Replay, DapoRefillsFromThePromptsNotYetShown) {
  std::string text;
  for (int id = 1; id <= 12; ++id) text += prompt(id, id % 3 == 0 ? 2 : 0, id % 3 == 0 ? 2 : 4);
  const Settings settings = {{"alloc.group_size", "4"}, {"train.prompts_per_step", "5"}};
  const auto lines = run("dapo", text, settings);
  EXPECT_EQ(of_kind(lines, "request").size(), 12u);
  std::vector<int> admitted;
  for (const json& group : of_kind(lines, "group"))
    if (group["admitted"]) admitted.push_back(group["prompt"]);
  EXPECT_EQ(admitted, (std::vector<int>{3, 6, 9, 12}));  // the source is exhausted: four, no error
  EXPECT_EQ(of_kind(lines, "batch")[0], json::parse(R"({"kind": "batch", "step": 0,
      "norm": "per_token", "z": 80})"));
}

TEST(Replay, DapoKeepsSurplusForTheNextStep) {
  std::string text;
  for (int id = 1; id <= 4; ++id) text += prompt(id, 2, 2);       // step 0: two too many
  for (int id = 11; id <= 14; ++id) text += prompt(id, 0, 4, 1);  // step 1: not needed
  for (int id = 21; id <= 24; ++id) text += prompt(id, 1, 3, 2);  // step 2: drawn afresh
  const Settings settings = {{"alloc.group_size", "4"}, {"train.prompts_per_step", "2"}};
  const auto lines = run("dapo", text, settings);
  std::vector<json> of_step[3];
  for (const json& line : lines)
    if (line.contains("step")) of_step[line["step"].get<int>()].push_back(line);

  EXPECT_EQ(of_kind(of_step[0], "request").size(), 4u);
  EXPECT_TRUE(group_of(of_step[0], 2)["admitted"]);
  EXPECT_EQ(group_of(of_step[0], 3)["admitted"], false);
  EXPECT_EQ(group_of(of_step[0], 3)["cause"], "none");
  EXPECT_EQ(group_of(of_step[0], 3)["held"], true);

  EXPECT_TRUE(of_kind(of_step[1], "request").empty());
  ASSERT_EQ(of_kind(of_step[1], "group").size(), 2u);
  EXPECT_EQ(of_step[1][0]["prompt"], 3);
  EXPECT_EQ(of_step[1][0]["items"][1]["from_step"], 0);
  EXPECT_EQ(of_step[1][0]["items"][1]["index"], 1);
  EXPECT_NEAR(of_step[1][0]["items"][1]["advantage"], .865875, 1e-6);
  EXPECT_EQ(of_step[1][2]["z"], 40);

  EXPECT_EQ(of_kind(of_step[2], "request").size(), 4u);
  EXPECT_EQ(lines.back()["updates"], 3);
  // Without surplus the second step draws and finds nothing.
  const auto without = run("dapo", text,
                           {{"alloc.group_size", "4"},
                            {"train.prompts_per_step", "2"},
                            {"alloc.refill.keep_surplus", "false"}});
  EXPECT_EQ(without.back()["updates"], 2);
}

TEST(Replay, SameInputAndSeedGiveTheSameBytes) {
  std::string text;
  for (int id = 1; id <= 20; ++id) text += prompt(id, id % 4, 196);
  for (const std::string& method : method_names()) {
    const ReplayOptions options = options_of(method, {});
    const auto first = replay(text, "file", options, 3);
    EXPECT_EQ(first, replay(text, "file", options, 3));
    // With another seed aero curates others, grpo decides the same; the summary names the seed.
    const auto other = replay(text, "file", options, 4);
    const bool same = std::equal(first.begin(), first.end() - 1, other.begin(), other.end() - 1);
    EXPECT_TRUE(method != "aero" || !same);
    EXPECT_TRUE(method != "grpo" || same);
    EXPECT_NE(first.back(), other.back());
  }
}

void expect_error(const std::string& text, const std::vector<std::string>& parts,
                  const Settings& settings = {}) {
  try {
    replay(text, "log.jsonl", options_of("grpo", settings), 0);
    ADD_FAILURE() << "accepted: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data) << error.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Replay, MoreThanTheFileHoldsNamesThePrompt) {
  expect_error(prompt("aime-3", 1, 3), {"prompt \"aime-3\" has 4 outcomes", "asks for 16"});
  EXPECT_THROW(run("aero", prompt(1, 0, 9)), Error);  // the rescue wants a tenth
}

TEST(Replay, BrokenLinesAreNamedByNumber) {
  const std::string good = prompt(1, 8, 8);
  expect_error(good + "\n{\"prompt\": 2, \"outc", {"[log.jsonl:3]", "not JSON"});
  expect_error("[1]", {"[log.jsonl:1]", "not an object"});
  expect_error(R"({"prompt": 1})", {"'outcomes' is missing"});
  expect_error(R"({"outcomes": []})", {"'prompt' is missing"});
  expect_error(R"({"prompt": 1, "outcomes": {}})", {"'outcomes' is not a list"});
  expect_error(R"({"prompt": 1, "outcomes": [3]})", {"outcome 0 is not an object"});
  expect_error(R"({"prompt": 1, "outcomes": [{}]})", {"neither 'correct' nor 'reward'"});
  expect_error(R"({"prompt": 1, "outcomes": [{"corect": true}]})", {"did you mean 'correct'"});
  expect_error(R"({"prompt": 1, "stepp": 2, "outcomes": []})", {"did you mean 'step'"});
  expect_error(R"({"prompt": 1, "outcomes": [{"correct": 1}]})", {"true or false"});
  expect_error(R"({"prompt": 1, "outcomes": [{"reward": "1"}]})", {"a number or null"});
  expect_error(R"({"prompt": 1, "outcomes": [{"reward": 1e300}]})", {"a number or null"});
  expect_error(R"({"prompt": 1, "outcomes": [{"reward": 1e999}]})", {"too large"});
  expect_error(R"({"prompt": 1, "outcomes": [{"correct": true, "tokens": -1}]})", {"'tokens'"});
  expect_error(R"({"prompt": 1, "outcomes": [{"correct": true, "tokens": 1e3}]})", {"'tokens'"});
  expect_error(R"({"prompt": 1, "outcomes": [{"correct": true, "answer": []}]})", {"'answer'"});
  expect_error(R"({"prompt": 1, "outcomes": [{"correct": true, "entropy": null}]})", {"'entropy'"});
  expect_error(R"({"prompt": 1, "step": -1, "outcomes": []})", {"'step'"});
  for (const char* id : {"-1", "1.5", "9223372036854775808", "null", "\"\"", "true", "1e99"})
    expect_error(std::string(R"({"prompt": )") + id + R"(, "outcomes": []})", {"'prompt' is"});
  expect_error(R"({"prompt": 1, "prompt": 2, "outcomes": []})", {"'prompt' stands twice"});
  expect_error(good + good, {"[log.jsonl:2]", "prompt 1 stands twice in step 0"});
  expect_error("{\"prompt\": \"\xff\", \"outcomes\": []}", {"not JSON"});
  expect_error(std::string(1000, '['), {"nested too deeply"});
  expect_error(std::string("{}\0{}", 5), {"a byte is zero"});
  expect_error("", {"there are no prompts"});
  expect_error("\n \n\r\n", {"there are no prompts"});
}

TEST(Replay, WindowsLineEndsAndEmptyLines) {
  std::string text = prompt(1, 8, 8);
  text.insert(text.size() - 1, "\r");
  EXPECT_EQ(run("grpo", "\n" + text + "\r\n"), run("grpo", prompt(1, 8, 8)));
}

TEST(Replay, HardCapsAreKept) {
  const auto lines =
      run("grpo", prompt(1, 8, 8) + prompt(2, 8, 8), {{"alloc.budget.hard_tokens", "100"}});
  EXPECT_EQ(of_kind(lines, "request").size(), 2u);  // 20 rollouts of at most 5 tokens
  EXPECT_EQ(lines[1]["n"], 4);
}

}  // namespace
}  // namespace allot
