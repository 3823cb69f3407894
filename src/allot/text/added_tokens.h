// Tokens that are found in the text as a whole, before it is cut into words: control tokens such as
// <|im_end|>, and further words. Source: `added_tokens` of tokenizer.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

struct AddedToken {
  std::int32_t id = 0;
  std::string content;
  bool special = false;      // left out of decoded text
  bool single_word = false;  // only where no letter, mark, digit or _ stands beside it
  bool lstrip = false;       // takes the white space before it along
  bool rstrip = false;       // and after it
  bool normalized = false;   // looked for in the normalized text
};

// A stretch of text: an added token, or what lies between two.
struct Segment {
  std::string_view text;
  std::int32_t id = -1;  // of the token; -1: ordinary text
};

// Of several tokens the leftmost is found first, among those the longest.
class AddedTokens {
 public:
  AddedTokens() = default;
  // Contents are distinct and not empty. They are looked for as they are.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  bool empty() const { return tokens_.empty(); }
  // All of valid UTF-8 `text`, in order; no empty segments of ordinary text.
  std::vector<Segment> split(std::string_view text) const;
  // The same, with special tokens that are written out left as ordinary text.
  std::vector<Segment> split_beside_special(std::string_view text) const;

 private:
  template <class Accepts>
  std::vector<Segment> split_if(std::string_view text, const Accepts& accepts) const;
  // The longest token at the front of `text`; nullptr: none.
  const AddedToken* at_front(std::string_view text) const;

  std::vector<AddedToken> tokens_;
  // By first byte: places in tokens_, longest first.
  std::vector<std::vector<std::size_t>> by_first_;
};

}  // namespace allot
