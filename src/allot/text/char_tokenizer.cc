#include "allot/text/char_tokenizer.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/utf8.h"

namespace allot {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kCharWhere = "char_tokenizer";
constexpr const char* kModelFile = "tokenizer.json";
constexpr const char* kConfigFile = "tokenizer_config.json";

// How a character reads in a message: itself, or its bytes where it would not show.
std::string shown(std::string_view character) {
  const unsigned char first = static_cast<unsigned char>(character[0]);
  if (character.size() > 1 || (first >= 0x20 && first < 0x7F)) {
    return concat("'", character, "'");
  }
  constexpr const char* kHex = "0123456789abcdef";
  return concat("byte 0x", kHex[first >> 4], kHex[first & 15]);
}

std::string reserved_name(std::int32_t id) { return concat("<reserved_", id, ">"); }

Json special_token(std::int32_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

}  // namespace

CharTokenizer::CharTokenizer(std::string_view alphabet, int size) {
  ascii_ids_.fill(-1);
  for (std::size_t at = 0; at < alphabet.size();) {
    const std::size_t length = utf8_length(alphabet.substr(at));
    if (length == 0) {
      throw Error(
          ErrorKind::Config, kCharWhere,
          concat("the alphabet is not valid UTF-8 at byte ", at, "; valid UTF-8 is needed"));
    }
    const std::string character(alphabet.substr(at, length));
    const auto id = static_cast<std::int32_t>(kFirstCharacter + characters_.size());
    if (!ids_.emplace(character, id).second) {
      throw Error(
          ErrorKind::Config, kCharWhere,
          concat("the alphabet has ", shown(character), " twice; distinct characters are needed"));
    }
    if (length == 1) ascii_ids_[static_cast<unsigned char>(character[0])] = id;
    characters_.push_back(character);
    at += length;
  }
  const int needed = kFirstCharacter + static_cast<int>(characters_.size());
  size_ = size == 0 ? needed : size;
  if (size_ < needed) {
    throw Error(ErrorKind::Config, kCharWhere,
                concat("size ", size, " was given; ", characters_.size(),
                       " characters need at least ", needed, " ids"));
  }
}

std::int32_t CharTokenizer::id_of(std::string_view character) const {
  if (character.size() == 1) return ascii_ids_[static_cast<unsigned char>(character[0])];
  const auto found = ids_.find(character);
  return found == ids_.end() ? -1 : found->second;
}

std::vector<std::int32_t> CharTokenizer::encode(std::string_view text) const {
  std::vector<std::int32_t> tokens;
  tokens.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) {
      throw Error(ErrorKind::Data, kCharWhere,
                  concat("the text is not valid UTF-8 at byte ", at, " (character ", tokens.size(),
                         "); valid UTF-8 is needed"));
    }
    const std::string_view character = text.substr(at, length);
    const std::int32_t id = id_of(character);
    if (id < 0) {
      throw Error(ErrorKind::Data, kCharWhere,
                  concat("character ", shown(character), " at position ", tokens.size(),
                         " is not in the alphabet of ", characters_.size(), " characters"),
                  "use a tokenizer whose alphabet covers the data set");
    }
    tokens.push_back(id);
    at += length;
  }
  return tokens;
}

std::string_view CharTokenizer::bytes(std::int32_t token) const {
  if (token < 0 || token >= size_)
    throw Error(ErrorKind::Data, kCharWhere,
                concat("token ", token, " was given; ids are 0 to ", size_ - 1));
  const std::size_t index = static_cast<std::size_t>(token) - kFirstCharacter;
  if (token < kFirstCharacter || index >= characters_.size()) return {};
  return characters_[index];
}

std::string CharTokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string text;
  for (const std::int32_t token : tokens) text += bytes(token);
  return text;
}

void CharTokenizer::save(const std::string& folder) const {
  Json vocab = {{"<pad>", kPad}, {"<end>", kEnd}};
  Json special = Json::array({special_token(kPad, "<pad>"), special_token(kEnd, "<end>")});
  for (const std::string& character : characters_) vocab[character] = id_of(character);
  for (auto id = static_cast<std::int32_t>(kFirstCharacter + characters_.size()); id < size_;
       ++id) {
    vocab[reserved_name(id)] = id;
    special.push_back(special_token(id, reserved_name(id)));
  }
  // The unknown token is not in the vocabulary: the tokenizers library then refuses unknown
  // characters as encode() does.
  const Json model = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", special},
      {"normalizer", nullptr},
      {"pre_tokenizer",
       {{"type", "Split"},
        {"pattern", {{"Regex", "[\\s\\S]"}}},
        {"behavior", "Isolated"},
        {"invert", false}}},
      {"post_processor", nullptr},
      {"decoder", {{"type", "Fuse"}}},
      {"model", {{"type", "WordLevel"}, {"vocab", vocab}, {"unk_token", "<unknown>"}}}};
  const Json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                       {"pad_token", "<pad>"},
                       {"eos_token", "<end>"},
                       {"clean_up_tokenization_spaces", false},
                       {"model_input_names", {"input_ids", "attention_mask"}}};
  replace_file(std::filesystem::path(folder) / kModelFile, model.dump(2) + "\n");
  replace_file(std::filesystem::path(folder) / kConfigFile, config.dump(2) + "\n");
}

CharTokenizer CharTokenizer::load(const std::string& folder) {
  const std::filesystem::path path = std::filesystem::path(folder) / kModelFile;
  const auto refuse = [&](const std::string& what) -> Error {
    return Error(
        ErrorKind::Model, kCharWhere,
        concat(path.string(), ": ", what, "; a character tokenizer as saved by allot is needed"));
  };
  std::ifstream in(path, std::ios::binary);
  if (!in) throw refuse("the file cannot be read");
  const Json json = Json::parse(in, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) throw refuse("not a JSON object");
  const Json model = json.value("model", Json::object());
  if (!model.is_object() || model.value("type", Json()) != "WordLevel" ||
      !model.contains("vocab") || !model["vocab"].is_object()) {
    throw refuse("its model is not WordLevel with a vocabulary");
  }
  const Json& vocab = model["vocab"];
  std::vector<std::string> names(vocab.size());
  for (const auto& [name, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= names.size()) {
      throw refuse(
          concat("the id of ", Json(name).dump(), " is not one of 0 to ", names.size() - 1));
    }
    std::string& place = names[id.get<std::size_t>()];
    if (!place.empty()) throw refuse(concat("id ", id.dump(), " is given twice"));
    place = name;
  }
  if (names.size() < 2 || names[kPad] != "<pad>" || names[kEnd] != "<end>") {
    throw refuse("ids 0 and 1 are not <pad> and <end>");
  }
  std::string alphabet;
  bool reserved = false;  // reserved ids are the last ones
  for (std::size_t id = kFirstCharacter; id < names.size(); ++id) {
    const bool is_reserved = names[id] == reserved_name(static_cast<std::int32_t>(id));
    const bool is_character = !names[id].empty() && utf8_length(names[id]) == names[id].size();
    if (!is_reserved && (reserved || !is_character)) {
      throw refuse(concat(Json(names[id]).dump(), " (id ", id, ") is not one character"));
    }
    reserved = is_reserved;
    if (!is_reserved) alphabet += names[id];
  }
  return CharTokenizer(alphabet, static_cast<int>(names.size()));
}

}  // namespace allot
