// Counts what a thread of a test program takes from the heap.
//
//   const std::uint64_t before = testing::allocations();
//   ...
//   EXPECT_LT(testing::allocations() - before, 10);
#pragma once

#include <cstdint>

namespace allot::testing {

// A sanitizer has an operator new of its own and checks that it is paired with its delete: nothing
// is counted then.
bool counts_allocations();

// Calls of operator new by this thread so far.
std::uint64_t allocations();

// Adds the allocations of `call` to `sum`, and returns its result.
template <class Call>
auto counted(std::uint64_t& sum, Call call) {
  const std::uint64_t before = allocations();
  auto result = call();
  sum += allocations() - before;
  return result;
}

}  // namespace allot::testing
