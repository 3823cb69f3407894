// Arrays of random numbers for tests of kernels, and the comparison with double precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "allot/core/random.h"
#include "allot/lm/kernels/bf16.h"

namespace allot::lm {

template <class T>
kernels::AlignedVector<T> normals(std::size_t n, std::uint64_t seed, double scale = 1) {
  RandomStream stream({.seed = seed, .use = RandomUse::Test});
  kernels::AlignedVector<T> out(n);
  for (T& x : out) {
    x = kernels::narrowed<T>(static_cast<kernels::Real<T>>(scale * stream.normal()));
  }
  return out;
}

// Every element within `tolerance` times the largest wanted one (or 1, if that is smaller).
template <class Given>
void expect_near(const Given& given, const std::vector<double>& wanted, double tolerance) {
  ASSERT_GE(given.size(), wanted.size());
  double largest = 1;
  for (const double x : wanted) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_NEAR(given[i], wanted[i], tolerance * largest) << "element " << i;
  }
}

}  // namespace allot::lm
