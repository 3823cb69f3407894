// One token per character: the tokenizer of the built-in tasks.
//
// Ids: 0 <pad>, 1 <end>, then the alphabet in its order, then reserved ids that never come out of
// encode() and leave no text in decode(). There is no unknown token: a character outside of the
// alphabet is refused, because a prompt that the model cannot see must not be trained on silently.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/text/tokenizer.h"

namespace allot {

class CharTokenizer final : public Tokenizer {
 public:
  static constexpr std::int32_t kPad = 0, kEnd = 1, kFirstCharacter = 2;

  // `alphabet`: distinct characters (Unicode code points in UTF-8). `size` is the number of ids,
  // e.g. a multiple of 16 for the model's sake; 0: exactly as many as needed.
  // Throws Error(Config): a repeated character, invalid UTF-8, a size that is too small.
  explicit CharTokenizer(std::string_view alphabet, int size = 0);

  std::vector<std::int32_t> encode(std::string_view text) const override;
  // Reserved ids are left out like special ones; an id outside [0, size) is Error(Data).
  std::string decode(std::span<const std::int32_t> tokens) const override;
  std::string_view bytes(std::int32_t token) const override;
  int size() const override { return size_; }
  std::int32_t end_token() const override { return kEnd; }
  std::int32_t pad_token() const override { return kPad; }

  const std::vector<std::string>& characters() const { return characters_; }

  // tokenizer.json (a WordLevel model behind a Split per character) and tokenizer_config.json.
  // Each file is written aside and renamed. Throws Error(Model) if `folder` cannot be written.
  void save(const std::string& folder) const override;
  // Reads what save() writes. Throws Error(Model) naming the file and what does not fit.
  static CharTokenizer load(const std::string& folder);

 private:
  std::int32_t id_of(std::string_view character) const;  // -1: not in the alphabet

  std::vector<std::string> characters_;
  std::map<std::string, std::int32_t, std::less<>> ids_;
  std::array<std::int32_t, 128> ascii_ids_;  // the same for one-byte characters
  int size_ = 0;
};

}  // namespace allot
