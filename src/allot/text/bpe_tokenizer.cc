#include "allot/text/bpe_tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/core/utf8.h"
#include "allot/text/byte_alphabet.h"
#include "allot/text/lossy_utf8.h"
#include "allot/text/nfc.h"

namespace allot {
namespace {

constexpr const char* kBpeWhere = "bpe_tokenizer";

[[noreturn]] void refuse(const AddedToken& token, const std::string& what) {
  throw Error(ErrorKind::Model, kBpeWhere,
              concat("the added token '", token.content, "' (id ", token.id, ") ", what),
              "the tokenizer's files do not fit together");
}

void check(const std::vector<AddedToken>& tokens) {
  std::unordered_set<std::string> contents;
  for (const AddedToken& token : tokens) {
    if (token.content.empty()) refuse(token, "is empty");
    if (valid_utf8_prefix(token.content) != token.content.size())
      refuse(token, "is not valid UTF-8");
    if (token.id < 0 || token.id >= BpeModel::kIdLimit) refuse(token, "has an id out of range");
    if (!contents.insert(token.content).second) refuse(token, "is there twice");
  }
}

}  // namespace

BpeTokenizer::BpeTokenizer(TokenizerParts parts, TokenizerFacts facts)
    : model_(parts.vocabulary),
      cuts_(std::move(parts.cuts)),
      nfc_(parts.nfc),
      before_(std::move(parts.before)),
      after_(std::move(parts.after)),
      files_(std::move(facts.files)) {
  check(parts.added);
  place_added(parts.added);
  std::vector<AddedToken> raw, normalized;
  for (AddedToken& token : parts.added) {
    if (token.normalized && nfc_) token.content = nfc(token.content);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_ = AddedTokens(std::move(raw));
  normalized_ = AddedTokens(std::move(normalized));
  end_ = known(facts.end);
  pad_ = known(facts.pad);
}

void BpeTokenizer::place_added(const std::vector<AddedToken>& tokens) {
  size_ = model_.size();
  for (const AddedToken& token : tokens) size_ = std::max(size_, token.id + 1);
  for (const AddedToken& token : tokens) {
    const auto [place, fresh] = by_id_.emplace(token.id, token);
    if (!fresh) refuse(token, concat("has the id of '", place->second.content, "'"));
  }
  // A token of the vocabulary may be listed as an added one, under the same id.
  std::unordered_map<std::string, const AddedToken*> by_content;
  for (const AddedToken& token : tokens)
    by_content.emplace(from_byte_alphabet(token.content).value_or(token.content), &token);
  for (std::int32_t id = 0; id < model_.size(); ++id) {
    const std::string bytes(model_.bytes(id));
    if (bytes.empty()) continue;
    const auto place = by_id_.find(id);
    const auto same = by_content.find(bytes);
    const AddedToken* named = same == by_content.end() ? nullptr : same->second;
    if (named != nullptr && named->id != id)
      refuse(*named, concat("has another id, ", id, ", in the vocabulary"));
    if (named == nullptr && place != by_id_.end())
      refuse(place->second, "has the id of another token of the vocabulary");
  }
}

template <class Cut>
std::vector<std::int32_t> BpeTokenizer::encode_segments(std::string_view text,
                                                        const Cut& cut) const {
  const std::size_t valid = valid_utf8_prefix(text);
  if (valid != text.size())
    throw Error(ErrorKind::Data, kBpeWhere,
                concat("the text is not valid UTF-8 at byte ", valid, "; valid UTF-8 is needed"));
  std::vector<std::int32_t> tokens;
  tokens.reserve(text.size() / 3);
  Cutter cutter(cuts_);
  const auto ordinary = [&](std::string_view stretch) {
    for (const Segment& segment : cut(normalized_, stretch)) {
      if (segment.id >= 0) {
        tokens.push_back(segment.id);
        continue;
      }
      cutter.cut(segment.text, [&](std::string_view word) { model_.encode(word, tokens); });
    }
  };
  for (const Segment& segment : cut(raw_, text)) {
    if (segment.id >= 0)
      tokens.push_back(segment.id);
    else if (nfc_ && !is_nfc_by_range(segment.text))
      ordinary(nfc(segment.text));
    else
      ordinary(segment.text);
  }
  return tokens;
}

std::vector<std::int32_t> BpeTokenizer::encode(std::string_view text) const {
  return encode_segments(text, [](const AddedTokens& added, std::string_view stretch) {
    return added.split(stretch);
  });
}

std::vector<std::int32_t> BpeTokenizer::encode_beside_special(std::string_view text) const {
  return encode_segments(text, [](const AddedTokens& added, std::string_view stretch) {
    return added.split_beside_special(stretch);
  });
}

std::vector<std::int32_t> BpeTokenizer::encode_document(std::string_view text) const {
  std::vector<std::int32_t> tokens = encode(text);
  tokens.insert(tokens.begin(), before_.begin(), before_.end());
  tokens.insert(tokens.end(), after_.begin(), after_.end());
  return tokens;
}

std::string_view BpeTokenizer::bytes(std::int32_t token) const {
  if (token < 0)
    throw Error(ErrorKind::Data, kBpeWhere, concat("token ", token, " was given; ids begin at 0"));
  if (token >= size_) return {};
  const auto added = by_id_.find(token);
  if (added == by_id_.end()) return model_.bytes(token);
  return added->second.special ? std::string_view() : added->second.content;
}

std::string BpeTokenizer::decode(std::span<const std::int32_t> tokens) const {
  std::string all;
  for (const std::int32_t token : tokens) all += bytes(token);
  return lossy_utf8(all);
}

std::int32_t BpeTokenizer::end_token() const {
  if (end_) return *end_;
  throw Error(ErrorKind::Model, kBpeWhere, "the tokenizer's files name no end token; one is needed",
              "give eos_token in tokenizer_config.json");
}

std::int32_t BpeTokenizer::pad_token() const { return pad_ ? *pad_ : end_token(); }

void BpeTokenizer::save(const std::string& folder) const {
  for (const auto& [name, content] : files_)
    replace_file(std::filesystem::path(folder) / name, content);
}

std::optional<std::int32_t> BpeTokenizer::known(const std::optional<std::string>& content) const {
  if (!content) return std::nullopt;
  const std::optional<std::int32_t> id = id_of(*content);
  if (!id)
    throw Error(ErrorKind::Model, kBpeWhere,
                concat("the end or padding token '", *content, "' is no token of the vocabulary"));
  return id;
}

std::optional<std::int32_t> BpeTokenizer::id_of(std::string_view content) const {
  for (const auto& [id, token] : by_id_)
    if (token.content == content) return id;
  for (std::int32_t id = 0; id < model_.size(); ++id)
    if (!content.empty() && model_.bytes(id) == content) return id;
  return std::nullopt;
}

}  // namespace allot
