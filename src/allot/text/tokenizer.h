// Text to token ids and back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

// Const and thread-safe once it is made.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Error(Data) if it cannot. Special tokens written out in the text become their ids.
  virtual std::vector<std::int32_t> encode(std::string_view text) const = 0;
  // The same with special tokens that are written out left as ordinary text, for what others wrote.
  virtual std::vector<std::int32_t> encode_beside_special(std::string_view text) const {
    return encode(text);  // of a tokenizer that looks for none
  }
  // Special tokens left out. Always valid UTF-8: what is not becomes U+FFFD.
  virtual std::string decode(std::span<const std::int32_t> tokens) const = 0;
  // What one token adds to the text, special tokens nothing. A character may be spread over several
  // tokens: join them, or use text/stream_decoder.h. Error(Data): an id that cannot be one.
  virtual std::string_view bytes(std::int32_t token) const = 0;
  virtual int size() const = 0;                // ids are 0 to size() - 1
  virtual std::int32_t end_token() const = 0;  // ends a response
  virtual std::int32_t pad_token() const = 0;
  // Writes what transformers needs to load the same tokenizer (tokenizer.json, ...).
  virtual void save(const std::string& folder) const = 0;
};

}  // namespace allot
