// Chat templates: a conversation as the text that a model was trained to answer. The templates of
// tokenizer_config.json and chat_template.jinja are written in Jinja; text/chat/parser.h says which
// part of it is known. Rendering is the one of transformers (apply_chat_template).
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace allot {

struct ChatMessage {
  std::string_view role, content;
};

struct ChatOptions {
  bool add_generation_prompt = true;   // end with what opens the answer
  std::string begin_token, end_token;  // bos_token and eos_token as text; "" is given as such
  // Further variables that a template asks for, such as enable_thinking.
  std::vector<std::pair<std::string, bool>> switches;
  // For templates that write today's date (strftime_now). Without one the function is undefined,
  // and such templates fall back to a date of their own, so that prompts do not change from day to
  // day.
  std::optional<std::tm> now;
};

// Immutable; may be rendered by several threads at once.
class ChatTemplate {
 public:
  // Error(Model) naming `file`, the line and the construct that is not supported.
  ChatTemplate(std::string_view source, std::string file);
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

  // Error(Data) naming file and line: the template refuses the messages (raise_exception), or
  // cannot be rendered with them. Steps and length are bounded.
  std::string render(std::span<const ChatMessage> messages, const ChatOptions& options) const;

 private:
  struct Parsed;
  std::unique_ptr<const Parsed> parsed_;
};

}  // namespace allot
