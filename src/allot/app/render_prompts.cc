#include "allot/app/render_prompts.h"

#include <algorithm>
#include <optional>
#include <utility>

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

}  // namespace

void render_prompts(std::vector<Prompt>& prompts, const PromptOptions& options,
                    const std::string& folder) {
  if (options.rendering == Rendering::None) return;
  const auto is_written_out = [&](const Prompt& prompt) {
    return options.rendering == Rendering::Chat || !prompt.messages.empty();
  };
  const auto first = std::find_if(prompts.begin(), prompts.end(), is_written_out);
  if (first == prompts.end()) return;
  const std::optional<FolderTemplate> found = template_of(options, folder);
  if (!found)
    throw Error(ErrorKind::Data, "data.template",
                concat("prompt '", first->key, "' is a conversation, and the model ",
                       folder.empty() ? "" : concat("in ", folder, " "),
                       "has no chat template to write it out"),
                "data.template=none uses its plain text, as for a base model; data.template_file "
                "names a template");
  ChatOptions chat;
  chat.begin_token = found->begin_token;
  chat.end_token = found->end_token;
  chat.switches = parsed_switches(options.template_switches);
  for (Prompt& prompt : prompts) {
    if (!is_written_out(prompt)) continue;
    try {
      prompt.text = found->chat.render(conversation(prompt, options), chat);
    } catch (const Error& error) {
      throw Error(ErrorKind::Data, concat("prompt ", prompt.key), error.what());
    }
  }
}

}  // namespace allot
