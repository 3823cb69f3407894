#include "allot/text/load_chat_template.h"

#include <filesystem>

#include "allot/text/bpe_files.h"
#include "allot/text/tokenizer_config.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

TokenizerConfig config_of(const fs::path& folder) {
  const fs::path file = folder / "tokenizer_config.json";
  return fs::exists(file) ? read_tokenizer_config(read_model_file(file), file.string())
                          : TokenizerConfig{};
}

FolderTemplate with_tokens(ChatTemplate chat, const TokenizerConfig& config) {
  return {std::move(chat), config.begin.value_or(""), config.end.value_or("")};
}

}  // namespace

std::optional<FolderTemplate> load_chat_template(const std::string& folder) {
  const fs::path own = fs::path(folder) / "chat_template.jinja";
  if (fs::exists(own)) return load_chat_template(folder, own.string());
  const TokenizerConfig config = config_of(folder);
  if (!config.chat_template) return std::nullopt;
  return with_tokens(ChatTemplate(*config.chat_template, folder + "/tokenizer_config.json"),
                     config);
}

FolderTemplate load_chat_template(const std::string& folder, const std::string& file) {
  return with_tokens(ChatTemplate(read_model_file(file), file), config_of(folder));
}

}  // namespace allot
