// Rendering against Jinja: dev/template_cases writes what it makes of the same templates.
#include "allot/text/chat_template.h"

#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"

namespace allot {
namespace {

using nlohmann::json;

const std::string kTemplates = ALLOT_SOURCE_DIR "/src/allot/text/testing/templates/";

std::string render(const std::string& source, std::vector<ChatMessage> messages = {{"user", "hi"}},
                   const ChatOptions& options = {}) {
  return ChatTemplate(source, "template").render(messages, options);
}

TEST(ChatTemplate, RendersAsJinja) {
  std::ifstream in(kTemplates + "expected.jsonl");
  std::map<std::string, int> rendered;
  for (std::string line; std::getline(in, line);) {
    const json row = json::parse(line);
    const std::string name = row["template"];
    SCOPED_TRACE(line);
    const ChatTemplate parsed(read_file(kTemplates + name), name);
    std::vector<ChatMessage> messages;
    for (const json& message : row["messages"])
      messages.push_back({message["role"].get_ref<const std::string&>(),
                          message["content"].get_ref<const std::string&>()});
    ChatOptions options;
    options.add_generation_prompt = row["add_generation_prompt"];
    options.begin_token = "<s>";
    options.end_token = "</s>";
    for (const auto& [key, on] : row["switches"].items()) options.switches.emplace_back(key, on);
    if (row["dated"]) {
      std::tm now{};
      now.tm_year = 126, now.tm_mon = 1, now.tm_mday = 3;
      options.now = now;
    }
    ++rendered[name];
    if (row.contains("error")) {
      try {
        parsed.render(messages, options);
        ADD_FAILURE() << "no error";
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Data);
        EXPECT_NE(std::string(error.what()).find(row["error"].get<std::string>()),
                  std::string::npos)
            << error.what();
      }
    } else {
      EXPECT_EQ(parsed.render(messages, options), row["text"].get<std::string>());
    }
  }
  EXPECT_EQ(rendered.size(), 6u);
}

// The template that the tokenizer of Qwen 2 comes with.
TEST(ChatTemplate, RendersTheTemplateOfQwen2) {
  const std::string file =
      ALLOT_SOURCE_DIR "/../shared/data/tokenizers/qwen2/tokenizer_config.json";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "needs ../shared/data/tokenizers";
  const std::string source = json::parse(read_file(file))["chat_template"];
  EXPECT_EQ(render(source, {{"user", "2 + 2?"}}),
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\n2 + 2?<|im_end|>\n<|im_start|>assistant\n");
}

void expect_refused(const std::string& source, const std::string& part, std::size_t line = 1) {
  try {
    const ChatTemplate parsed(source, "template");
    ADD_FAILURE() << "no error for " << source;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    EXPECT_NE(std::string(error.what()).find(concat("template:", line)), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(ChatTemplate, RefusesWhatItDoesNotKnowWhenItIsRead) {
  expect_refused("\n{% include 'x' %}", "{% include %} is not supported", 2);
  expect_refused("{% raw %}{% endraw %}", "{% raw %} is not supported");
  expect_refused("{{ x | slice(3) }}", "the filter slice");
  expect_refused("{{ x.capitalize() }}", "the method capitalize");
  expect_refused("{{ x is divisibleby 3 }}", "the test divisibleby");
  expect_refused("{% for x in y recursive %}{% endfor %}", "recursive");
  expect_refused("{% set a, b = 1, 2 %}", "'=' is needed");
  expect_refused("{{ 2 ** 3 }}", "**");
  expect_refused("{{ '\\x41' }}", "escape \\x");
  expect_refused("{{ a ! b }}", "the character '!'");
  expect_refused("{% break %}", "outside of a loop");
  expect_refused("{% if a %}", "endif");
  expect_refused("\n\n{% for a in b %}x", "endfor", 3);
  expect_refused("{% endif %}", "{% endif %} is not supported");
  expect_refused("{{ a", "not closed");
  expect_refused("{# a", "not closed");
  expect_refused("{{ 'a }}", "not closed");
  expect_refused("{{ }}", "a value is needed");
  expect_refused("{{ f(a=1, 2) }}", "a value without a name");
  expect_refused("{{ 99999999999999999999 }}", "too large");
  expect_refused("{{ (a }}", "not closed");
}

TEST(ChatTemplate, SaysWhatCannotBeRendered) {
  const std::map<std::string, std::string> cases = {
      {"{{ a.b.c }}", "'b' was asked of 'a', which is undefined"},
      {"{{ f() }}", "'f', which is undefined was to be called"},
      {"{{ 1 + 'a' }}", "+ was to be applied"},
      {"{{ messages }}", "a list was to be written as text"},
      {"{{ 1 < 'a' }}", "have no order"},
      {"{{ 1 // 0 }}", "division by zero"},
      {"{{ 9223372036854775807 + 1 }}", "too large"},
      {"{% set messages.x = 1 %}", "only a namespace"},
      {"{% for a, b in [1] %}{% endfor %}", "has no elements"},
      {"{{ 'a'.split('') }}", "empty text"},
      {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "macros call each other"},
  };
  for (const auto& [source, part] : cases) {
    try {
      render("\n" + source);
      ADD_FAILURE() << "no error for " << source;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
      EXPECT_NE(std::string(error.what()).find("[template:2]"), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

// Templates that would run or grow for ever end with an error.
TEST(ChatTemplate, EndsWhateverTheTemplate) {
  const std::string nested = [] {
    std::string loops, ends;
    for (int i = 0; i < 8; ++i) loops += "{% for i in range(1000) %}", ends += "{% endfor %}";
    return loops + "x" + ends;
  }();
  std::string deep_list = "{% set x = [1] %}";
  for (int i = 0; i < 50; ++i) deep_list += "{% set x = [x, x] %}";
  for (const std::string& source :
       {nested,
        std::string("{% set ns = namespace(x='xxxxxxxxxxxxxxxx') %}{% for i in range(64) %}"
                    "{% set ns.x = ns.x ~ ns.x %}{% endfor %}"),
        std::string("{{ range(1000000) }}"), deep_list + "{{ x | tojson }}",
        deep_list + "{{ x == [x, x] }}{% set y = x %}{{ x | list == y | list }}"}) {
    EXPECT_THROW(render(source), Error) << source.substr(0, 100);
  }
  for (const std::string open : {"(", "[", "{{ ", "not ", "{% if 1 %}", "-", "a[", "f("}) {
    std::string source = "{{ ";
    for (int i = 0; i < 100'000; ++i) source += open;
    EXPECT_THROW(ChatTemplate(source, "template"), Error) << open;
  }
  std::string sum = "{{ 1";
  for (int i = 0; i < 100'000; ++i) sum += "+1";
  EXPECT_THROW(ChatTemplate(sum + " }}", "template"), Error);
}

// What the fuzzer (fuzz/chat_template.cc) began from and found.
TEST(ChatTemplate, ReplaysTheFuzzersCorpus) {
  std::size_t files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(ALLOT_SOURCE_DIR "/fuzz/corpus/chat_template")) {
    ++files;
    try {
      render(read_file(entry.path()), {{"system", "s"}, {"user", "u"}, {"assistant", "a"}});
    } catch (const Error&) {
    }
  }
  EXPECT_GE(files, 5u);
}

}  // namespace
}  // namespace allot
