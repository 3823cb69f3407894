#include "allot/app/render_prompts.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "allot/core/error.h"
#include "allot/text/load_chat_template.h"

namespace allot {
namespace {

std::vector<std::pair<std::string, bool>> parsed_switches(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, bool>> switches;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
    if (equals == 0 || (value != "true" && value != "false"))
      throw Error(ErrorKind::Config, "data.template_switches",
                  concat("'", text, "' was given; NAME=true or NAME=false is needed"));
    switches.emplace_back(text.substr(0, equals), value == "true");
  }
  return switches;
}

std::optional<FolderTemplate> template_of(const PromptOptions& options, const std::string& folder) {
  if (!options.template_file.empty()) return load_chat_template(folder, options.template_file);
  if (folder.empty()) return std::nullopt;
  return load_chat_template(folder);
}

std::vector<ChatMessage> conversation(const Prompt& prompt, const PromptOptions& options) {
  std::vector<ChatMessage> messages;
  const bool has_system =
      std::any_of(prompt.messages.begin(), prompt.messages.end(),
                  [](const Message& message) { return message.role == "system"; });
  if (!has_system && !options.system.empty()) messages.push_back({"system", options.system});
  for (const Message& message : prompt.messages)
    messages.push_back({message.role, message.content});
  if (prompt.messages.empty()) messages.push_back({"user", prompt.text});
  return messages;
}

// Writes out one prompt at a time; the template is read when the first one needs it.
class Renderer {
 public:
  Renderer(const PromptOptions& options, const std::string& folder)
      : options_(options), folder_(folder) {}

  void write_out(Prompt& prompt) {
    if (options_.rendering != Rendering::Chat && prompt.messages.empty()) return;
    if (!template_) load(prompt);
    try {
      prompt.text = template_->chat.render(conversation(prompt, options_), chat_);
    } catch (const Error& error) {
      throw Error(ErrorKind::Data, concat("prompt ", prompt.key), error.what());
    }
  }

 private:
  void load(const Prompt& first) {
    template_ = template_of(options_, folder_);
    if (!template_)
      throw Error(ErrorKind::Data, "data.template",
                  concat("prompt '", first.key, "' is a conversation, and the model ",
                         folder_.empty() ? "" : concat("in ", folder_, " "),
                         "has no chat template to write it out"),
                  "data.template=none uses its plain text, as for a base model; "
                  "data.template_file names a template");
    chat_.begin_token = template_->begin_token;
    chat_.end_token = template_->end_token;
    chat_.switches = parsed_switches(options_.template_switches);
  }

  PromptOptions options_;
  std::string folder_;
  std::optional<FolderTemplate> template_;
  ChatOptions chat_;
};

}  // namespace

void render_prompts(PromptList& prompts, const PromptOptions& options, const std::string& folder) {
  if (options.rendering == Rendering::None) return;
  const auto write_out = [renderer = std::make_shared<Renderer>(options, folder)](Prompt& prompt) {
    renderer->write_out(prompt);
    return true;
  };
  prompts.change(write_out, write_out);
}

}  // namespace allot
