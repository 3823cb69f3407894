// Text to token ids and back.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::vector<std::int32_t> encode(
      std::string_view text) const = 0;  // Error(Data) if it cannot
  virtual std::string decode(
      std::span<const std::int32_t> tokens) const = 0;  // special tokens left out
  virtual int size() const = 0;
  virtual std::int32_t end_token() const = 0;  // ends a response
  virtual std::int32_t pad_token() const = 0;
  // Writes what transformers needs to load the same tokenizer (tokenizer.json, ...).
  virtual void save(const std::string& folder) const = 0;
};

}  // namespace allot
