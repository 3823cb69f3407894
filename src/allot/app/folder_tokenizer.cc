#include "allot/app/folder_tokenizer.h"

#include <filesystem>

#include "allot/lm/lora.h"
#include "allot/local/model_options.h"
#include "allot/text/load_tokenizer.h"

namespace allot {

std::shared_ptr<const Tokenizer> folder_tokenizer(const std::string& path) {
  const bool own = std::filesystem::exists(std::filesystem::path(path) / "tokenizer.json");
  return load_tokenizer(own || !lm::LoraAdapter::is_adapter(path) ? path : base_folder(path));
}

}  // namespace allot
