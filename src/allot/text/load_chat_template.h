// The chat template of a model folder.
#pragma once

#include <optional>
#include <string>

#include "allot/text/chat_template.h"

namespace allot {

struct FolderTemplate {
  ChatTemplate chat;
  std::string begin_token, end_token;  // as text; "" where the folder names none
};

// chat_template.jinja, else chat_template of tokenizer_config.json; nothing where a folder has
// neither. Error(Model) naming the file that cannot be read or the construct that is not supported.
std::optional<FolderTemplate> load_chat_template(const std::string& folder);

// The template of a file with the tokens of a folder.
FolderTemplate load_chat_template(const std::string& folder, const std::string& file);

}  // namespace allot
