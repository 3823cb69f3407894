#include "allot/text/load_tokenizer.h"

#include <filesystem>
#include <string_view>

#include "allot/text/bpe_files.h"
#include "allot/text/char_tokenizer.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

// Whether `"type": "WordLevel"` stands in the file; within texts JSON writes quotes otherwise.
bool is_word_level(const TokenizerFiles& files) {
  const auto found = files.find("tokenizer.json");
  if (found == files.end()) return false;
  const std::string_view text = found->second;
  const std::size_t value = text.find("\"WordLevel\"");
  if (value == std::string_view::npos || value == 0) return false;
  const std::size_t colon = text.find_last_not_of(" \t\r\n", value - 1);
  if (colon == std::string_view::npos || colon == 0 || text[colon] != ':') return false;
  const std::size_t name = text.find_last_not_of(" \t\r\n", colon - 1);
  return name != std::string_view::npos && text.substr(0, name + 1).ends_with("\"type\"");
}

}  // namespace

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) {
  std::error_code problem;
  const bool alone = fs::is_regular_file(path, problem);
  const TokenizerFiles files = alone ? TokenizerFiles{{"tokenizer.json", read_model_file(path)}}
                                     : read_tokenizer_files(path);
  if (is_word_level(files))
    return std::make_unique<CharTokenizer>(
        CharTokenizer::load(alone ? fs::path(path).parent_path().string() : path));
  return std::make_unique<BpeTokenizer>(make_bpe_tokenizer(files, path));
}

}  // namespace allot
