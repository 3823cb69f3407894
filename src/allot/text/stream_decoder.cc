#include "allot/text/stream_decoder.h"

#include "allot/text/lossy_utf8.h"

namespace allot {

std::string StreamDecoder::push(std::int32_t token) {
  held_ += tokenizer_.bytes(token);
  std::string text;
  held_.erase(0, append_complete_utf8(held_, text));
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = lossy_utf8(held_);
  held_.clear();
  return text;
}

}  // namespace allot
