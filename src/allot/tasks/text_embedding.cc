#include "allot/tasks/text_embedding.h"

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>

#include "allot/core/prompt_id.h"

namespace allot {
namespace {

constexpr std::size_t kShortest = 2, kLongest = 4;  // bytes of the n-grams
constexpr std::uint64_t kWord = 1, kGram = 2;       // seeds, so that they never meet

bool in_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z');
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// Hash of each feature -> how often it occurs. Ordered, so that sums have one order.
using Features = std::map<std::uint64_t, std::uint32_t>;

Features features_of(std::string_view given) {
  const std::string text = lower(given);
  Features features;
  for (std::size_t size = kShortest; size <= kLongest; ++size)
    for (std::size_t at = 0; at + size <= text.size(); ++at)
      ++features[hash_bytes(std::string_view(text).substr(at, size), kGram)];
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && in_word(text[end])) ++end;
    if (end > at) ++features[hash_bytes(std::string_view(text).substr(at, end - at), kWord)];
    at = end + (end == at ? 1 : 0);
  }
  return features;
}

}  // namespace

std::vector<std::vector<float>> hashed_text_embeddings(std::span<const std::string_view> texts,
                                                       std::size_t dimensions) {
  std::vector<Features> all;
  std::unordered_map<std::uint64_t, std::uint32_t> having;  // texts that have a feature
  for (const std::string_view text : texts) {
    all.push_back(features_of(text));
    for (const auto& [feature, count] : all.back()) ++having[feature];
  }
  std::vector<std::vector<float>> out;
  for (const Features& features : all) {
    std::vector<double> sum(dimensions);
    for (const auto& [feature, count] : features) {
      const double rarity =
          std::log((1.0 + static_cast<double>(texts.size())) / (1.0 + having[feature])) + 1;
      const double weight = (1 + std::log(count)) * rarity;
      sum[feature % dimensions] += feature >> 63 ? -weight : weight;
    }
    double squares = 0;
    for (const double x : sum) squares += x * x;
    const double length = squares > 0 ? std::sqrt(squares) : 1;
    std::vector<float>& vector = out.emplace_back();
    for (const double x : sum) vector.push_back(static_cast<float>(x / length));
  }
  return out;
}

void embed_by_text(PromptSet& prompts) {
  std::vector<std::string> texts;
  prompts.list().each([&](const Prompt& prompt) { texts.push_back(prompt.text); });
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  prompts.embed(hashed_text_embeddings(views));
}

}  // namespace allot
