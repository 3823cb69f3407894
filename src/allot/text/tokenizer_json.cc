#include "allot/text/tokenizer_json.h"

#include <algorithm>
#include <initializer_list>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/utf8.h"

namespace allot {
namespace {

using nlohmann::json;

// A value within the file and how one gets there ("pre_tokenizer.pretokenizers[1]").
class Place {
 public:
  Place(const json& value, const std::string& file, std::string path = "")
      : value_(value), file_(file), path_(std::move(path)) {}

  const json& value() const { return value_; }
  bool is_null() const { return value_.is_null(); }

  // A field of this object; null where it is not there.
  Place operator[](const char* field) const {
    static const json kNull;
    if (!value_.is_object()) refuse("an object is needed");
    const auto found = value_.find(field);
    const std::string path = path_.empty() ? field : concat(path_, ".", field);
    return {found == value_.end() ? kNull : *found, file_, path};
  }
  std::vector<Place> elements() const {
    if (!value_.is_array()) refuse("a list is needed");
    std::vector<Place> all;
    for (const json& element : value_)
      all.emplace_back(element, file_, concat(path_, "[", all.size(), "]"));
    return all;
  }
  std::string text() const {
    if (!value_.is_string()) refuse("a text is needed");
    return value_.get<std::string>();
  }
  bool yes(bool otherwise) const {
    if (value_.is_null()) return otherwise;
    if (!value_.is_boolean()) refuse("true or false is needed");
    return value_.get<bool>();
  }
  std::int32_t id() const {
    if (!value_.is_number_unsigned() || value_.get<std::uint64_t>() >= BpeModel::kIdLimit)
      refuse(concat("an id of 0 to ", BpeModel::kIdLimit - 1, " is needed"));
    return value_.get<std::int32_t>();
  }
  std::string type() const { return (*this)["type"].text(); }

  // This is an object with none but these fields.
  void only(std::initializer_list<std::string_view> fields) const {
    if (!value_.is_object()) refuse("an object is needed");
    for (const auto& [name, unused] : value_.items())
      if (std::find(fields.begin(), fields.end(), name) == fields.end())
        refuse(concat("the field ", json(name).dump(), " is not supported"));
  }
  // Null, or one of the given values.
  void fixed(std::initializer_list<json> values) const {
    if (value_.is_null() || std::find(values.begin(), values.end(), value_) != values.end()) return;
    refuse(concat("the value ", shown(), " is not supported"));
  }
  std::string shown() const {
    const std::string text = value_.dump(-1, ' ', false, json::error_handler_t::replace);
    return text.size() <= 60 ? text : text.substr(0, valid_utf8_prefix(text.substr(0, 60))) + "..";
  }
  [[noreturn]] void refuse(std::string_view what) const {
    throw Error(ErrorKind::Model, file_, concat(path_, path_.empty() ? "" : ": ", what),
                "tokenizers of the GPT-2, Llama 3 and Qwen 2 families are supported");
  }

 private:
  const json& value_;
  const std::string& file_;
  std::string path_;
};

// The parser keeps the last of two equal names; in the vocabulary that would hide a damaged file.
json parse(std::string_view text, const std::string& file) {
  std::size_t names = 0;
  int in_vocabulary = 0;  // model, then vocab
  const auto count = [&](int depth, json::parse_event_t event, const json& value) {
    if (event != json::parse_event_t::key) return true;
    if (depth == 1) in_vocabulary = value == "model" ? 1 : 0;
    if (depth == 2 && in_vocabulary > 0) in_vocabulary = value == "vocab" ? 2 : 1;
    if (depth == 3 && in_vocabulary == 2) ++names;
    return true;
  };
  json all = json::parse(text.begin(), text.end(), count, /*allow_exceptions=*/false);
  const Place place(all, file);
  if (all.is_discarded())
    throw Error(ErrorKind::Model, file, "it is not JSON; it may be cut off", "download it again");
  const json& model = place["model"].value();
  if (model.is_object() && model.contains("vocab") && model["vocab"].size() != names)
    place.refuse("model.vocab has a token twice");
  return all;
}

bool reads_nfc(const Place& normalizer) {
  if (normalizer.is_null()) return false;
  const std::string type = normalizer.type();
  if (type == "NFC") return normalizer.only({"type"}), true;
  if (type != "Sequence") normalizer.refuse(concat("the normalizer ", type, " is not supported"));
  normalizer.only({"type", "normalizers"});
  bool nfc = false;
  for (const Place& part : normalizer["normalizers"].elements()) {
    if (part.type() != "NFC")
      part.refuse(concat("the normalizer ", part.type(), " is not supported"));
    part.only({"type"});
    nfc = true;
  }
  return nfc;
}

Split read_split(const Place& split) {
  split.only({"type", "pattern", "behavior", "invert"});
  const Place pattern = split["pattern"];
  pattern.only({"Regex", "String"});
  const bool regex = !pattern["Regex"].is_null();
  const std::string behavior = split["behavior"].text();
  if (behavior != "Isolated" && behavior != "Removed")
    split["behavior"].refuse(concat(split["behavior"].shown(), " is not supported"));
  Split::Drops drops = Split::Drops::Nothing;
  if (behavior == "Removed")
    drops = split["invert"].yes(false) ? Split::Drops::Gaps : Split::Drops::Matches;
  return {regex ? Pattern(pattern["Regex"].text()) : Pattern::literal(pattern["String"].text()),
          drops};
}

void read_byte_level(const Place& step, PreTokenizer& cuts) {
  step.only({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  if (step["add_prefix_space"].yes(true)) cuts.emplace_back(PrefixSpace{});
  if (step["use_regex"].yes(true)) cuts.emplace_back(Split{Pattern(kGpt2Pattern)});
}

void read_cut(const Place& step, PreTokenizer& cuts) {
  const std::string type = step.type();
  if (type == "Split") {
    cuts.emplace_back(read_split(step));
  } else if (type == "Digits") {
    step.only({"type", "individual_digits"});
    cuts.emplace_back(Split{Pattern(step["individual_digits"].yes(false) ? "\\p{N}" : "\\p{N}+")});
  } else {
    step.refuse(concat("the pre-tokenizer ", type, " is not supported"));
  }
}

PreTokenizer read_pre_tokenizer(const Place& pre_tokenizer) {
  if (pre_tokenizer.is_null()) pre_tokenizer.refuse("ByteLevel is needed");
  std::vector<Place> steps{pre_tokenizer};
  if (pre_tokenizer.type() == "Sequence") {
    pre_tokenizer.only({"type", "pretokenizers"});
    steps = pre_tokenizer["pretokenizers"].elements();
  }
  if (steps.empty() || steps.back().type() != "ByteLevel")
    pre_tokenizer.refuse("ByteLevel is needed, as the last step");
  PreTokenizer cuts;
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) read_cut(steps[i], cuts);
  read_byte_level(steps.back(), cuts);
  return cuts;
}

void read_template(const Place& step, TokenizerParts& parts) {
  step.only({"type", "single", "pair", "special_tokens"});
  bool text = false;
  for (const Place& item : step["single"].elements()) {
    item.only({"SpecialToken", "Sequence"});
    if (item["SpecialToken"].is_null()) {
      if (text) item.refuse("the text stands twice");
      text = true;
      continue;
    }
    const std::string name = item["SpecialToken"]["id"].text();
    const Place known = step["special_tokens"][name.c_str()];
    for (const Place& id : known["ids"].elements())
      (text ? parts.after : parts.before).push_back(id.id());
  }
  if (!text) step["single"].refuse("the text is not in it");
}

void read_post_processor(const Place& step, TokenizerParts& parts) {
  if (step.is_null()) return;
  std::vector<Place> steps{step};
  if (step.type() == "Sequence") {
    step.only({"type", "processors"});
    steps = step["processors"].elements();
  }
  for (const Place& one : steps) {
    const std::string type = one.type();
    if (type == "TemplateProcessing") {
      if (!parts.before.empty() || !parts.after.empty()) one.refuse("there are two templates");
      read_template(one, parts);
    } else if (type != "ByteLevel") {  // which only moves offsets
      one.refuse(concat("the post-processor ", type, " is not supported"));
    }
  }
}

void check_decoder(const Place& decoder) {
  if (decoder.is_null()) return;
  if (decoder.type() != "ByteLevel")
    decoder.refuse(concat("the decoder ", decoder.type(), " is not supported"));
}

// "a b" in older files, ["a", "b"] in newer ones.
std::pair<std::string, std::string> read_merge(const Place& merge) {
  if (merge.value().is_array()) {
    const std::vector<Place> sides = merge.elements();
    if (sides.size() != 2) merge.refuse("two tokens are needed");
    return {sides[0].text(), sides[1].text()};
  }
  const std::string both = merge.text();
  const std::size_t space = both.find(' ');
  if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
    merge.refuse(concat(merge.shown(), " is no pair of tokens"));
  return {both.substr(0, space), both.substr(space + 1)};
}

BpeVocabulary read_model(const Place& model) {
  if (model.is_null()) model.refuse("a model is needed");
  if (!model["type"].is_null() && model.type() != "BPE")
    model.refuse(concat("the model ", model.type(), " is not supported"));
  model.only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
              "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
  model["dropout"].fixed({0.0});
  model["continuing_subword_prefix"].fixed({""});
  model["end_of_word_suffix"].fixed({""});
  model["byte_fallback"].fixed({false});
  // unk_token and fuse_unk have no effect: every byte has a token.
  BpeVocabulary vocabulary;
  vocabulary.whole_words_first = model["ignore_merges"].yes(false);
  const Place vocab = model["vocab"];
  if (!vocab.value().is_object()) vocab.refuse("an object of tokens and ids is needed");
  for (const auto& [token, id] : vocab.value().items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= BpeModel::kIdLimit)
      vocab.refuse(concat("the id of ", json(token).dump(), " is not a number of 0 to ",
                          BpeModel::kIdLimit - 1));
    vocabulary.ids.emplace_back(token, id.get<std::int32_t>());
  }
  for (const Place& merge : model["merges"].elements())
    vocabulary.merges.push_back(read_merge(merge));
  return vocabulary;
}

std::vector<AddedToken> read_added(const Place& list) {
  std::vector<AddedToken> added;
  if (list.is_null()) return added;
  for (const Place& one : list.elements()) {
    one.only({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.id = one["id"].id();
    token.content = one["content"].text();
    token.special = one["special"].yes(false);
    token.single_word = one["single_word"].yes(false);
    token.lstrip = one["lstrip"].yes(false);
    token.rstrip = one["rstrip"].yes(false);
    token.normalized = one["normalized"].yes(!token.special);
    added.push_back(std::move(token));
  }
  return added;
}

}  // namespace

TokenizerParts read_tokenizer_json(std::string_view text, const std::string& file) {
  const json all = parse(text, file);
  const Place place(all, file);
  place.only({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
              "post_processor", "decoder", "model"});
  place["version"].fixed({"1.0"});
  TokenizerParts parts;
  parts.vocabulary = read_model(place["model"]);
  parts.added = read_added(place["added_tokens"]);
  parts.nfc = reads_nfc(place["normalizer"]);
  parts.cuts = read_pre_tokenizer(place["pre_tokenizer"]);
  read_post_processor(place["post_processor"], parts);
  check_decoder(place["decoder"]);
  return parts;
}

}  // namespace allot
