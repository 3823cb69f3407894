#include "allot/text/bpe_files.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/text/tokenizer_config.h"
#include "allot/text/tokenizer_json.h"

namespace allot {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kLargest = 256 << 20;
constexpr std::array<const char*, 10> kNames = {"tokenizer.json",
                                                "tokenizer_config.json",
                                                "vocab.json",
                                                "merges.txt",
                                                "encoder.json",
                                                "vocab.bpe",
                                                "special_tokens_map.json",
                                                "added_tokens.json",
                                                "config.json",
                                                "chat_template.jinja"};

const std::string* find(const TokenizerFiles& files, const std::string& name) {
  const auto found = files.find(name);
  return found == files.end() ? nullptr : &found->second;
}

enum class Family { Gpt2, Qwen2, Unknown };

// By tokenizer_class, or else by the model_type of config.json.
Family family_of(const TokenizerFiles& files, const TokenizerConfig& config) {
  std::string name = config.tokenizer_class;
  if (name.empty() && find(files, "config.json") != nullptr) {
    const std::string& text = *find(files, "config.json");
    const json model = json::parse(text.begin(), text.end(), nullptr, false);
    if (model.is_object() && model.value("model_type", json()).is_string())
      name = model["model_type"].get<std::string>();
  }
  if (name.empty() && find(files, "encoder.json") != nullptr) return Family::Gpt2;
  if (name.starts_with("GPT2Tokenizer") || name == "gpt2") return Family::Gpt2;
  if (name.starts_with("Qwen2Tokenizer") || name == "qwen2" || name == "qwen3")
    return Family::Qwen2;
  return Family::Unknown;
}

// vocab.json: one object of tokens and ids.
void read_vocabulary(const std::string& text, const std::string& file, BpeVocabulary& vocabulary) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::Model, file, what, "it may be cut off; download it again");
  };
  std::size_t names = 0;
  const auto count = [&](int depth, json::parse_event_t event, const json&) {
    names += event == json::parse_event_t::key && depth == 1;
    return true;
  };
  const json all = json::parse(text.begin(), text.end(), count, /*allow_exceptions=*/false);
  if (all.is_discarded() || !all.is_object()) refuse("it is not a JSON object of tokens and ids");
  if (names != all.size()) refuse("a token is in it twice");
  for (const auto& [token, id] : all.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= BpeModel::kIdLimit)
      refuse(concat("the id of ", json(token).dump(), " is not a number of 0 to ",
                    BpeModel::kIdLimit - 1));
    vocabulary.ids.emplace_back(token, id.get<std::int32_t>());
  }
}

// merges.txt: a line "#version: .." perhaps, then two tokens per line, best first.
void read_merges(const std::string& text, const std::string& file, BpeVocabulary& vocabulary) {
  std::istringstream in(text);
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    const std::size_t space = line.find(' ');
    if (space == 0 || space == std::string::npos || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string::npos)
      throw Error(ErrorKind::Model, concat(file, ":", number),
                  "a line of two tokens with one space between is needed");
    vocabulary.merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
}

// Tokens that transformers has in the tokenizer's own code, where the files do not list them.
void add_defaults(TokenizerParts& parts, TokenizerConfig& config) {
  constexpr const char* kEnd = "<|endoftext|>";
  if (!config.end) config.end = kEnd;
  for (const auto& [token, id] : parts.vocabulary.ids)
    if (token == kEnd && parts.added.empty()) parts.added.push_back({id, kEnd, true});
}

TokenizerParts from_vocabulary(const TokenizerFiles& files, const std::string& folder,
                               TokenizerConfig& config) {
  const bool gpt2_names = find(files, "vocab.json") == nullptr;
  const std::string vocab = gpt2_names ? "encoder.json" : "vocab.json";
  const std::string merges = gpt2_names ? "vocab.bpe" : "merges.txt";
  if (find(files, vocab) == nullptr || find(files, merges) == nullptr)
    throw Error(ErrorKind::Model, folder,
                concat(std::filesystem::is_directory(folder) ? "there is no tokenizer"
                                                             : "there is no such folder",
                       "; tokenizer.json, or vocab.json and merges.txt, are needed in it"),
                "models are read from folders: download one first");
  const Family family = family_of(files, config);
  if (family == Family::Unknown)
    throw Error(ErrorKind::Model, folder,
                concat("the tokenizer class '", config.tokenizer_class,
                       "' is not known; tokenizer.json, or a class GPT2Tokenizer or "
                       "Qwen2Tokenizer in tokenizer_config.json, is needed"));
  TokenizerParts parts;
  read_vocabulary(*find(files, vocab), concat(folder, "/", vocab), parts.vocabulary);
  read_merges(*find(files, merges), concat(folder, "/", merges), parts.vocabulary);
  parts.added = config.added;
  parts.nfc = family == Family::Qwen2;
  parts.cuts.emplace_back(Split{Pattern(family == Family::Qwen2 ? kQwen2Pattern : kGpt2Pattern)});
  add_defaults(parts, config);
  return parts;
}

}  // namespace

std::string read_model_file(const std::filesystem::path& path) {
  std::error_code problem;
  const std::uintmax_t size = std::filesystem::file_size(path, problem);
  if (problem) throw Error(ErrorKind::Model, path.string(), "the file cannot be read");
  if (size > kLargest)
    throw Error(ErrorKind::Model, path.string(),
                concat("it has ", size, " bytes; at most ", kLargest, " are read"));
  std::ifstream in(path, std::ios::binary);
  std::string content(size, '\0');
  if (!in.read(content.data(), static_cast<std::streamsize>(size)))
    throw Error(ErrorKind::Model, path.string(), "the file cannot be read");
  return content;
}

TokenizerFiles read_tokenizer_files(const std::filesystem::path& folder) {
  TokenizerFiles files;
  for (const char* name : kNames) {
    std::error_code problem;
    if (std::filesystem::is_regular_file(folder / name, problem))
      files.emplace(name, read_model_file(folder / name));
  }
  return files;
}

BpeTokenizer make_bpe_tokenizer(const TokenizerFiles& files, const std::string& folder) {
  TokenizerConfig config;
  const std::string* text = find(files, "tokenizer_config.json");
  if (text != nullptr) config = read_tokenizer_config(*text, folder + "/tokenizer_config.json");
  const std::string* whole = find(files, "tokenizer.json");
  const bool is_file = std::filesystem::is_regular_file(folder);
  const std::string where = is_file ? folder : folder + "/tokenizer.json";
  TokenizerParts parts = whole != nullptr ? read_tokenizer_json(*whole, where)
                                          : from_vocabulary(files, folder, config);
  TokenizerFacts facts;
  for (const auto& [name, content] : files)
    if (name != "config.json") facts.files.emplace_back(name, content);  // that is the model's
  facts.end = config.end;
  facts.pad = config.pad;
  return BpeTokenizer(std::move(parts), std::move(facts));
}

}  // namespace allot
