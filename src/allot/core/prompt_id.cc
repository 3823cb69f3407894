#include "allot/core/prompt_id.h"

namespace allot {

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
  std::uint64_t h = 0xcbf29ce484222325ull ^ (seed * 0x9E3779B97F4A7C15ull);
  for (const unsigned char c : bytes) h = (h ^ c) * 0x100000001b3ull;
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdull;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ull;
  return h ^ (h >> 33);
}

PromptId prompt_id(std::string_view string_id) { return hash_bytes(string_id, 1) >> 1; }

PromptId prompt_id(std::string_view text, std::string_view answer) {
  return hash_bytes(answer, hash_bytes(text, 2 + text.size())) >> 1;
}

}  // namespace allot
