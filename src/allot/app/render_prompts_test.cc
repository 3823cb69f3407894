#include "allot/app/render_prompts.h"

#include <filesystem>
#include <functional>

#include <gtest/gtest.h>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/testing/temporary_folder.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

// Written out in the manner of ChatML.
constexpr const char* kTemplate =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if think is defined and think is false %}<think></think>{% endif %}";

class RenderPrompts : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    replace_file(folder_ / name, text);
  }
  std::string rendered(Prompt prompt, const PromptOptions& options) {
    PromptList prompts(std::vector<Prompt>{std::move(prompt)});
    render_prompts(prompts, options, folder_.string());
    return prompts.held()[0].text;
  }

  testing::TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path();
};

Prompt question() {
  Prompt prompt;
  prompt.key = "q";
  prompt.text = "2+2=";
  return prompt;
}

Prompt chat() {
  Prompt prompt = question();
  prompt.messages = {{"user", "2+2="}};
  return prompt;
}

void expect_error(const std::function<void()>& action, ErrorKind kind, const std::string& part) {
  try {
    action();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST_F(RenderPrompts, ConversationsByTheFoldersTemplate) {
  write("chat_template.jinja", kTemplate);
  PromptOptions options;
  const std::string user = "<|im_start|>user\n2+2=<|im_end|>\n<|im_start|>assistant\n";
  EXPECT_EQ(rendered(chat(), options), user);
  EXPECT_EQ(rendered(question(), options), "2+2=") << "a text stays one";
  options.rendering = Rendering::Chat;
  EXPECT_EQ(rendered(question(), options), user);
  options.system = "Be brief.";
  const std::string system = "<|im_start|>system\nBe brief.<|im_end|>\n";
  EXPECT_EQ(rendered(chat(), options), system + user);
  Prompt own = chat();
  own.messages.insert(own.messages.begin(), {"system", "Reason."});
  EXPECT_EQ(rendered(own, options), "<|im_start|>system\nReason.<|im_end|>\n" + user);
  options.system.clear();
  options.template_switches = {"think=false"};
  EXPECT_EQ(rendered(chat(), options), user + "<think></think>");
  options.rendering = Rendering::None;
  EXPECT_EQ(rendered(chat(), options), "2+2=");
}

TEST_F(RenderPrompts, ATemplateWithinTheConfigurationAndOneOfAFile) {
  write("tokenizer_config.json",
        R"({"bos_token": "<s>", "eos_token": "</s>",
            "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"})");
  PromptOptions options;
  EXPECT_EQ(rendered(chat(), options), "<s>2+2=</s>");
  write("own.jinja", "Q: {{ messages[-1].content }}\nA:{{ eos_token }}");
  options.template_file = (folder_ / "own.jinja").string();
  EXPECT_EQ(rendered(chat(), options), "Q: 2+2=\nA:</s>");
  PromptList prompts(std::vector<Prompt>{chat()});
  options.template_file = (folder_ / "absent.jinja").string();
  expect_error([&] { render_prompts(prompts, options, folder_.string()); }, ErrorKind::Model,
               "absent.jinja");
}

TEST_F(RenderPrompts, WithoutATemplateAConversationIsAnError) {
  PromptList prompts(std::vector<Prompt>{question(), chat()});
  for (const std::string& folder : {std::string(), folder_.string()})
    expect_error([&] { render_prompts(prompts, {}, folder); }, ErrorKind::Data, "[data.template]");
  prompts = PromptList(std::vector<Prompt>{question()});
  render_prompts(prompts, {}, "");  // texts need none
}

TEST_F(RenderPrompts, NamesWhatIsWrong) {
  write("chat_template.jinja", "{{ raise_exception('no roles but user') }}");
  PromptList prompts(std::vector<Prompt>{chat()});
  expect_error([&] { render_prompts(prompts, {}, folder_.string()); }, ErrorKind::Data,
               "no roles but user");
  PromptOptions options;
  options.template_switches = {"think=maybe"};
  expect_error([&] { render_prompts(prompts, options, folder_.string()); }, ErrorKind::Config,
               "think=maybe");
  write("chat_template.jinja", "{% include 'other' %}");
  expect_error([&] { render_prompts(prompts, {}, folder_.string()); }, ErrorKind::Model,
               "chat_template.jinja");
}

}  // namespace
}  // namespace allot
