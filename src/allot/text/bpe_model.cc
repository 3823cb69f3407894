#include "allot/text/bpe_model.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>

#include "allot/core/error.h"
#include "allot/text/byte_alphabet.h"

namespace allot {
namespace {

constexpr std::size_t kShortWord = 32;  // up to here a scan is faster than a heap
constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorKind::Model, "bpe", what,
              "the tokenizer's files are damaged or of another kind");
}

std::string quoted(const std::string& token) { return concat("'", token, "'"); }

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

using IdOf = std::unordered_map<std::string_view, std::int32_t>;

std::int32_t id_in(const IdOf& ids, const std::string& token, std::size_t rank) {
  const auto found = ids.find(token);
  if (found == ids.end())
    refuse(concat("merge ", rank, " needs ", quoted(token), ", which is not in the vocabulary"));
  return found->second;
}

}  // namespace

BpeModel::BpeModel(const BpeVocabulary& vocabulary) {
  read_tokens(vocabulary);
  read_merges(vocabulary);
  find_whole_words(vocabulary.whole_words_first);
}

void BpeModel::read_tokens(const BpeVocabulary& vocabulary) {
  std::vector<bool> taken;
  byte_ids_.fill(-1);
  for (const auto& [token, id] : vocabulary.ids) {
    if (token.empty()) refuse(concat("id ", id, " is the empty token"));
    if (id < 0 || id >= kIdLimit)
      refuse(concat("the id of ", quoted(token), " is ", id, "; ids are 0 to ", kIdLimit - 1));
    const auto place = static_cast<std::size_t>(id);
    if (place >= taken.size()) taken.resize(place + 1), tokens_.resize(place + 1);
    if (taken[place]) refuse(concat("id ", id, " is given twice, to ", quoted(token), " as well"));
    taken[place] = true;
    // What is written in other characters is no bytes' token and stands for itself.
    tokens_[place] = from_byte_alphabet(token).value_or(token);
    if (from_byte_alphabet(token) && tokens_[place].size() == 1)
      byte_ids_[static_cast<unsigned char>(tokens_[place][0])] = id;
  }
  const auto missing = std::find(byte_ids_.begin(), byte_ids_.end(), -1);
  if (missing != byte_ids_.end())
    refuse(concat("there is no token for byte ", missing - byte_ids_.begin(),
                  "; a byte-level vocabulary has one for each of the 256"));
}

void BpeModel::read_merges(const BpeVocabulary& vocabulary) {
  IdOf ids;
  ids.reserve(vocabulary.ids.size());
  for (const auto& [token, id] : vocabulary.ids)
    if (!ids.emplace(token, id).second)
      refuse(concat(quoted(token), " is in the vocabulary twice"));
  merges_.reserve(vocabulary.merges.size());
  std::uint32_t rank = 0;
  for (const auto& [left, right] : vocabulary.merges) {
    const std::int32_t merged = id_in(ids, left + right, rank);
    const std::uint64_t key = pair_key(id_in(ids, left, rank), id_in(ids, right, rank));
    if (!merges_.emplace(key, Merge{rank, merged}).second)
      refuse(concat("merge ", rank, ", ", quoted(left), " and ", quoted(right),
                    ", has been given before"));
    ++rank;
  }
}

void BpeModel::find_whole_words(bool all) {
  std::vector<std::int32_t> found;
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    const std::string& token = tokens_[id];
    if (token.empty()) continue;
    found.clear();
    if (!all) merge(token, found);
    if (all || (found.size() == 1 && found[0] == static_cast<std::int32_t>(id)))
      words_.emplace(token, static_cast<std::int32_t>(id));
  }
}

const BpeModel::Merge* BpeModel::merge_of(std::int32_t left, std::int32_t right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BpeModel::encode(std::string_view word, std::vector<std::int32_t>& tokens) const {
  const auto whole = words_.find(word);
  if (whole != words_.end()) {
    tokens.push_back(whole->second);
    return;
  }
  merge(word, tokens);
}

void BpeModel::merge(std::string_view word, std::vector<std::int32_t>& tokens) const {
  word.size() <= kShortWord ? merge_short(word, tokens) : merge_long(word, tokens);
}

// Looks for the best pair again after every merge.
void BpeModel::merge_short(std::string_view word, std::vector<std::int32_t>& tokens) const {
  std::array<std::int32_t, kShortWord> ids{};
  std::array<Merge, kShortWord> pairs;  // [i]: of ids[i] and ids[i + 1]
  std::size_t count = word.size();
  for (std::size_t i = 0; i < count; ++i) ids[i] = byte_ids_[static_cast<unsigned char>(word[i])];
  const auto look_up = [&](std::size_t i) {
    const Merge* found = i + 1 < count ? merge_of(ids[i], ids[i + 1]) : nullptr;
    pairs[i] = found == nullptr ? Merge{kNoRank, -1} : *found;
  };
  for (std::size_t i = 0; i < count; ++i) look_up(i);
  for (;;) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < count; ++i)
      if (pairs[i].rank < pairs[best].rank) best = i;
    if (count == 0 || pairs[best].rank == kNoRank) break;
    ids[best] = pairs[best].merged;
    --count;
    for (std::size_t i = best + 1; i < count; ++i) ids[i] = ids[i + 1], pairs[i] = pairs[i + 1];
    look_up(best);
    if (best > 0) look_up(best - 1);
  }
  tokens.insert(tokens.end(), ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count));
}

// A heap of candidate pairs over a list of what is left; candidates that a neighbouring merge made
// stale are recognised when they come up.
void BpeModel::merge_long(std::string_view word, std::vector<std::int32_t>& tokens) const {
  struct Place {
    std::int32_t id = 0;  // -1: merged into the one before
    std::uint32_t before = 0, after = 0;
  };
  struct Candidate {
    std::uint32_t rank, place;
    std::int32_t left, right, merged;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };
  if (word.size() >= std::numeric_limits<std::uint32_t>::max())
    throw Error(ErrorKind::Data, "bpe", concat("a word of ", word.size(), " bytes was given"));
  const auto count = static_cast<std::uint32_t>(word.size());
  std::vector<Place> places(count);
  for (std::uint32_t i = 0; i < count; ++i)
    places[i] = {byte_ids_[static_cast<unsigned char>(word[i])], i - 1, i + 1};
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](std::uint32_t left) {
    const std::uint32_t right = places[left].after;
    if (right >= count) return;
    const Merge* merge = merge_of(places[left].id, places[right].id);
    if (merge != nullptr)
      candidates.push({merge->rank, left, places[left].id, places[right].id, merge->merged});
  };
  for (std::uint32_t i = 0; i < count; ++i) consider(i);
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Place& left = places[best.place];
    if (left.id != best.left || left.after >= count || places[left.after].id != best.right)
      continue;
    Place& right = places[left.after];
    left.id = best.merged;
    right.id = -1;
    left.after = right.after;
    if (left.after < count) places[left.after].before = best.place;
    consider(best.place);
    if (best.place > 0) consider(left.before);
  }
  for (const Place& place : places)
    if (place.id >= 0) tokens.push_back(place.id);
}

std::string_view BpeModel::bytes(std::int32_t id) const {
  if (id < 0 || id >= size()) return {};
  return tokens_[static_cast<std::size_t>(id)];
}

}  // namespace allot
