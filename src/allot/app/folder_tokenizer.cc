#include "allot/app/folder_tokenizer.h"

#include <filesystem>

#include "allot/local/model_options.h"
#include "allot/text/char_tokenizer.h"

namespace allot {

std::shared_ptr<const Tokenizer> folder_tokenizer(const std::string& path) {
  const bool own = std::filesystem::exists(std::filesystem::path(path) / "tokenizer.json");
  return std::make_shared<CharTokenizer>(CharTokenizer::load(own ? path : base_folder(path)));
}

}  // namespace allot
