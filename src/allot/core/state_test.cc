#include "allot/core/state.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/prompt_table.h"
#include "allot/core/random.h"

namespace allot {
namespace {

enum class Colour : std::uint8_t { Red, Green };

struct Inner {
  double x = 0;
  std::vector<std::string> words;
  template <class V>
  void state(V& v) {
    v(x);
    v(words);
  }
  bool operator==(const Inner&) const = default;
};

struct Everything {
  bool flag = false;
  std::uint64_t big = 0;
  float small = 0;
  Colour colour = Colour::Red;
  std::string text;
  std::optional<std::uint64_t> cap, none;
  std::vector<Inner> list;
  std::map<std::uint64_t, Inner> by_id;
  template <class V>
  void state(V& v) {
    v(flag);
    v(big);
    v(small);
    v(colour);
    v(text);
    v(cap);
    v(none);
    v(list);
    v(by_id);
  }
  bool operator==(const Everything&) const = default;
};

template <class T>
struct Only {
  T value{};
  template <class V>
  void state(V& v) {
    v(value);
  }
};

struct Two {
  std::uint32_t a = 0x01020304;
  std::string b = "hi";
  template <class V>
  void state(V& v) {
    v(a);
    v(b);
  }
};

Everything filled() {
  return {.flag = true,
          .big = 0xfedcba9876543210,
          .small = std::numeric_limits<float>::denorm_min(),
          .colour = Colour::Green,
          .text = std::string("a\0b", 3),
          .cap = 7,
          .list = {{0.1, {"x", ""}}, {-0.0, {}}},
          .by_id = {{3, {1e300, {"y"}}}, {9, {}}}};
}

std::string message_of(const std::string& blob) {
  Everything read;
  try {
    load_state("thing", 2, blob, read);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Model);
    return error.what();
  }
  return {};
}

TEST(State, RoundTripRestoresEveryBit) {
  const std::string blob = save_state("thing", 2, filled());
  Everything read{.none = 5, .list = {{1, {"old"}}}, .by_id = {{1, {}}}};
  load_state("thing", 2, blob, read);
  EXPECT_EQ(read, filled());
  EXPECT_TRUE(std::signbit(read.list[1].x));
  EXPECT_EQ(save_state("thing", 2, read), blob);
}

TEST(State, FormatIsLittleEndianWithLengthsFirst) {
  EXPECT_EQ(save_state("n", 5, Two{}),
            std::string("\1\0\0\0\0\0\0\0n\5\0\0\0\4\3\2\1\2\0\0\0\0\0\0\0hi", 27));
}

TEST(State, RefusesEveryTruncation) {
  const std::string blob = save_state("thing", 2, filled());
  for (std::size_t n = 0; n < blob.size(); ++n)
    EXPECT_NE(message_of(blob.substr(0, n)), "") << "length " << n;
}

TEST(State, RefusesBytesLeftOver) {
  EXPECT_NE(message_of(save_state("thing", 2, filled()) + "x").find("left over"),
            std::string::npos);
}

TEST(State, NamesWhatItFoundAndWhatItNeeds) {
  const std::string other = message_of(save_state("other", 2, filled()));
  EXPECT_NE(other.find("'other'"), std::string::npos);
  EXPECT_NE(other.find("'thing'"), std::string::npos);
  const std::string newer = message_of(save_state("thing", 3, filled()));
  EXPECT_NE(newer.find("version 3"), std::string::npos);
  EXPECT_NE(newer.find("reads 2"), std::string::npos);
}

TEST(State, HugeLengthsAreRefusedWithoutAllocating) {
  using List = Only<std::vector<std::uint64_t>>;
  for (const std::uint64_t n : {std::uint64_t{1000}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    std::string blob = save_state("list", 1, List{});
    blob.resize(blob.size() - 8);
    blob.append(reinterpret_cast<const char*>(&n), 8);
    List read;
    EXPECT_THROW(load_state("list", 1, blob, read), Error);
  }
}

TEST(State, ABoolIsZeroOrOne) {
  using Flag = Only<bool>;
  std::string blob = save_state("flag", 1, Flag{});
  blob.back() = 2;
  Flag read;
  EXPECT_THROW(load_state("flag", 1, blob, read), Error);
}

// Any single damaged byte is either refused or read as some value; it never crashes.
TEST(State, SurvivesDamagedBytes) {
  const std::string blob = save_state("thing", 2, filled());
  int refused = 0;
  for (std::size_t i = 0; i < blob.size(); ++i)
    for (const unsigned char mask : {0x01, 0x80, 0xff}) {
      std::string damaged = blob;
      damaged[i] = static_cast<char>(damaged[i] ^ mask);
      refused += !message_of(damaged).empty();
    }
  EXPECT_GT(refused, 100);
}

TEST(PromptTable, IteratesInIdOrderAndSavesItself) {
  PromptTable<Inner> table;
  table[900].x = 1;
  table[3].x = 2;
  table[~PromptId{0} >> 1].x = 3;
  std::vector<PromptId> order;
  for (const auto& [prompt, record] : table) order.push_back(prompt);
  EXPECT_EQ(order, (std::vector<PromptId>{3, 900, ~PromptId{0} >> 1}));
  EXPECT_EQ(table.find(4), nullptr);
  EXPECT_EQ(table[4], Inner{});

  PromptTable<Inner> read;
  read[77].x = 5;
  load_state("table", 1, save_state("table", 1, table), read);
  EXPECT_EQ(read.size(), 4u);
  EXPECT_EQ(read.find(900)->x, 1);
  EXPECT_FALSE(read.contains(77));
  EXPECT_TRUE(read.erase(900));
  EXPECT_FALSE(read.erase(900));
}

TEST(PromptTable, AgreesWithATree) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    RandomStream random({seed, RandomUse::Test, 21, 0, 0});
    const std::uint64_t ids = seed % 3 == 0 ? 300 : 5000;  // many hits, or mostly new ids
    PromptTable<int> table;
    std::map<PromptId, int> tree;
    for (int i = 0; i < 6000; ++i) {
      const PromptId id = seed % 2 ? random.below(ids) : static_cast<PromptId>(i) % ids;
      if (random.uniform() < 0.2) {
        EXPECT_EQ(table.erase(id), tree.erase(id) > 0);
      } else {
        EXPECT_EQ(table[id], tree[id]);
        table[id] = tree[id] = i;
      }
      ASSERT_EQ(table.size(), tree.size());
    }
    EXPECT_TRUE(std::equal(
        table.begin(), table.end(), tree.begin(), tree.end(),
        [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
    for (PromptId id = 0; id < ids; ++id) {
      const int* found = table.find(id);
      ASSERT_EQ(found != nullptr, tree.count(id) > 0);
      if (found) {
        EXPECT_EQ(*found, tree.at(id));
      }
    }
    for (auto& [prompt, value] : table) ++value;
    PromptTable<int> read;
    load_state("table", 1, save_state("table", 1, table), read);
    EXPECT_EQ(save_state("table", 1, read), save_state("table", 1, table));
    for (const auto& [prompt, value] : tree) EXPECT_EQ(*read.find(prompt), value + 1);
    table.clear();
    EXPECT_TRUE(table.empty() && table.begin() == table.end());
  }
}

}  // namespace
}  // namespace allot
