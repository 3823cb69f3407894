// How prompts become what the model reads: conversations, and prompts that are too long.
// Source: conventions, sections 4 and 9.
#pragma once

#include <string>
#include <vector>

#include "allot/core/options.h"

namespace allot {

// How a conversation (Prompt::messages) becomes the text that the model sees.
enum class Rendering { Auto, Chat, None };

enum class Overlong { Drop, Error, TruncateLeft };

// Keys at data.*.
struct PromptOptions {
  Rendering rendering = Rendering::Auto;
  std::string template_file, system;
  std::vector<std::string> template_switches;
  int max_prompt_tokens = 0;
  Overlong overlong = Overlong::Drop;

  template <class V>
  void fields(V& v) {
    v("template", rendering,
      Choices<Rendering>{
          {"auto", Rendering::Auto}, {"chat", Rendering::Chat}, {"none", Rendering::None}},
      "how prompts are written out: auto = conversations by the model's chat template (without one "
      "they are an error), texts as they are; chat = texts too, as messages of a user; none = "
      "everything as plain text, as for a base model");
    v("template_file", template_file,
      "a chat template (Jinja) used in place of the model folder's own");
    v("template_switches", template_switches,
      "variables of the template, NAME=true or NAME=false, such as enable_thinking=false");
    v("system", system, "system message in front of every conversation that has none");
    v("max_prompt_tokens", max_prompt_tokens, Range{0, 1e7},
      "longest prompt; 0 = what the model's context leaves beside the longest response");
    v("overlong", overlong,
      Choices<Overlong>{{"drop", Overlong::Drop},
                        {"error", Overlong::Error},
                        {"truncate_left", Overlong::TruncateLeft}},
      "longer prompts of a file: left out with a warning, refused, or cut at their beginning");
  }
};

}  // namespace allot
