#include <gtest/gtest.h>

#include "allot/core/controller.h"
#include "allot/core/options.h"
#include "allot/core/random.h"
#include "allot/core/state.h"
TEST(Philox, KnownAnswers) {
  const auto a = allot::philox4x32({0, 0, 0, 0}, {0, 0});
  EXPECT_EQ(a[0], 0x6627e8d5u);
  EXPECT_EQ(a[1], 0xe169c58du);
  EXPECT_EQ(a[2], 0xbc57ac4cu);
  EXPECT_EQ(a[3], 0x9b00dbd8u);
}
struct O {
  int a = 3;
  double b = .5;
  std::vector<int> k{1, 8};
  template <class V>
  void fields(V& v) {
    v("a", a, allot::Range{0, 9}, "an a");
    v("b", b, allot::Range{0, 1}, "a b");
    v("k", k, allot::Range{1, 99}, "ks");
  }
};
TEST(Options, Basic) {
  O o;
  auto list = allot::OptionList::of(o, "x.y");
  list.set("x.y.a", "7", "--set");
  list.set("x.y.k", "[2,3]", "f");
  EXPECT_EQ(o.a, 7);
  EXPECT_EQ(o.k.size(), 2u);
  std::puts(list.yaml().c_str());
  std::puts(list.docs_table().c_str());
  std::puts(list.json().c_str());
  try {
    list.set("x.y.aa", "7", "--set");
  } catch (const allot::Error& e) {
    std::puts(e.what());
  }
  try {
    list.set("x.y.a", "70", "--set");
  } catch (const allot::Error& e) {
    std::puts(e.what());
  }
}
