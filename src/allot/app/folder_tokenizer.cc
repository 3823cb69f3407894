#include "allot/app/folder_tokenizer.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "allot/lm/lora.h"
#include "allot/local/model_options.h"
#include "allot/text/load_tokenizer.h"

namespace allot {

std::string tokenizer_folder(const std::string& path) {
  constexpr std::array kFiles = {"tokenizer.json", "vocab.json", "encoder.json"};
  const bool own = std::any_of(kFiles.begin(), kFiles.end(), [&](const char* name) {
    return std::filesystem::exists(std::filesystem::path(path) / name);
  });
  return own || !lm::LoraAdapter::is_adapter(path) ? path : base_folder(path);
}

std::shared_ptr<const Tokenizer> folder_tokenizer(const std::string& path) {
  return load_tokenizer(tokenizer_folder(path));
}

}  // namespace allot
