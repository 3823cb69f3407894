// Byte-level BPE: the tokenizers of GPT-2, Llama 3, Qwen 2 and their relatives, with exactly the
// ids of the `tokenizers` package.
//
// text -> added tokens cut out -> NFC -> cut into words -> bytes -> merges. Every text has ids, and
// decode(encode(text)) is the text, or its NFC form where the tokenizer normalizes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "allot/text/tokenizer.h"
#include "allot/text/tokenizer_parts.h"

namespace allot {

// What is known of a tokenizer beside how it cuts text.
struct TokenizerFacts {
  std::optional<std::string> end, pad;  // contents of the tokens
  // Name and content of the files it was read from, which save() writes again.
  std::vector<std::pair<std::string, std::string>> files;
};

class BpeTokenizer final : public Tokenizer {
 public:
  // Error(Model): what BpeModel refuses; an added token that is empty, invalid UTF-8, or there
  // twice; an id that belongs to another token; an end or padding token that is none.
  explicit BpeTokenizer(TokenizerParts parts, TokenizerFacts facts = {});

  // Nothing is put around the text. Error(Data): it is not valid UTF-8.
  std::vector<std::int32_t> encode(std::string_view text) const override;
  std::vector<std::int32_t> encode_beside_special(std::string_view text) const override;
  // With what the tokenizer puts around a whole text, such as Llama's <|begin_of_text|>.
  std::vector<std::int32_t> encode_document(std::string_view text) const;

  // An id without a token adds nothing: embeddings often have more rows than there are tokens.
  // Error(Data): an id below 0.
  std::string decode(std::span<const std::int32_t> tokens) const override;
  std::string_view bytes(std::int32_t token) const override;

  int size() const override { return size_; }
  std::int32_t end_token() const override;  // Error(Model) if the files name none
  std::int32_t pad_token() const override;  // the end token where the files name none
  void save(const std::string& folder) const override;

  // The id of an added or ordinary token by its content, such as "<|im_end|>"; nothing if unknown.
  std::optional<std::int32_t> id_of(std::string_view content) const;

 private:
  template <class Cut>
  std::vector<std::int32_t> encode_segments(std::string_view text, const Cut& cut) const;
  std::optional<std::int32_t> known(const std::optional<std::string>& content) const;
  void place_added(const std::vector<AddedToken>& tokens);

  BpeModel model_;
  PreTokenizer cuts_;
  bool nfc_ = false;
  std::vector<std::int32_t> before_, after_;
  std::vector<std::pair<std::string, std::string>> files_;
  std::optional<std::int32_t> end_, pad_;
  AddedTokens raw_, normalized_;  // by whether they are looked for after normalizing
  std::unordered_map<std::int32_t, AddedToken> by_id_;
  int size_ = 0;
};

}  // namespace allot
