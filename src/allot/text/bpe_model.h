// Byte-pair encoding of single words: merges of neighbouring tokens in the order they were learned
// (Sennrich et al. 2016), over bytes (GPT-2).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace allot {

// As a file spells it; tokens in the alphabet of text/byte_alphabet.h.
struct BpeVocabulary {
  std::vector<std::pair<std::string, std::int32_t>> ids;
  std::vector<std::pair<std::string, std::string>> merges;  // best first
  bool whole_words_first = false;  // `ignore_merges`: a word that is a token is not merged
};

class BpeModel {
 public:
  static constexpr std::int32_t kIdLimit = 1 << 20;  // ids are below

  // Error(Model): an empty token, a token or an id twice, an id out of range, a byte without token,
  // a merge twice or of tokens that are not in the vocabulary.
  explicit BpeModel(const BpeVocabulary& vocabulary);

  // Appends the tokens of one word. Equal pairs merge from left to right. Time is n log n.
  void encode(std::string_view word, std::vector<std::int32_t>& tokens) const;

  // "" for an id without a token.
  std::string_view bytes(std::int32_t id) const;
  std::int32_t size() const { return static_cast<std::int32_t>(tokens_.size()); }  // largest id + 1

 private:
  struct Merge {
    std::uint32_t rank = 0;
    std::int32_t merged = -1;
  };

  void read_tokens(const BpeVocabulary& vocabulary);
  void read_merges(const BpeVocabulary& vocabulary);
  void find_whole_words(bool all);
  const Merge* merge_of(std::int32_t left, std::int32_t right) const;
  void merge_short(std::string_view word, std::vector<std::int32_t>& tokens) const;
  void merge_long(std::string_view word, std::vector<std::int32_t>& tokens) const;
  void merge(std::string_view word, std::vector<std::int32_t>& tokens) const;

  std::vector<std::string> tokens_;  // [id] bytes
  std::array<std::int32_t, 256> byte_ids_{};
  std::unordered_map<std::uint64_t, Merge> merges_;  // by both ids
  // Words that merging turns into one token. Most words of a text are such, and this spares their
  // merging without a cache that would grow or need a lock. Views into tokens_.
  std::unordered_map<std::string_view, std::int32_t> words_;
};

}  // namespace allot
