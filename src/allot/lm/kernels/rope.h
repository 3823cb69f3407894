// Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the Hugging Face layout: element
// i of a head is rotated together with element i + head_dim/2, by position * frequency i, and both
// are multiplied by the amplitude (lm/rope_scaling.h).
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "allot/lm/rope_scaling.h"

namespace allot::lm::kernels {

// Cosines and sines, times the amplitude, of positions [0, positions), made in double. Each
// [positions, head_dim/2].
template <class T>
struct RopeTable {
  int half = 0;  // head_dim / 2
  std::vector<T> cos, sin;

  RopeTable(int positions, const RopeFrequencies& frequencies)
      : half(static_cast<int>(frequencies.inverse.size())) {
    cos.resize(static_cast<std::size_t>(positions) * half);
    sin.resize(cos.size());
    for (int p = 0; p < positions; ++p) {
      for (int i = 0; i < half; ++i) {
        const std::size_t at = static_cast<std::size_t>(p) * half + i;
        const double angle = p * frequencies.inverse[i];
        cos[at] = static_cast<T>(frequencies.amplitude * std::cos(angle));
        sin[at] = static_cast<T>(frequencies.amplitude * std::sin(angle));
      }
    }
  }
  const T* cos_at(int position) const {
    return cos.data() + static_cast<std::size_t>(position) * half;
  }
  const T* sin_at(int position) const {
    return sin.data() + static_cast<std::size_t>(position) * half;
  }
};

// Rotates one head of 2 * half numbers. `to` may be `from`.
template <class T>
[[gnu::always_inline]] inline void rotate(const T* from, const T* cos, const T* sin, int half,
                                          T* to) {
  for (int i = 0; i < half; ++i) {
    const T a = from[i], b = from[i + half];
    to[i] = a * cos[i] - b * sin[i];
    to[i + half] = b * cos[i] + a * sin[i];
  }
}

// The transpose: gradients of `rotate`.
template <class T>
[[gnu::always_inline]] inline void rotate_back(const T* from, const T* cos, const T* sin, int half,
                                               T* to) {
  for (int i = 0; i < half; ++i) {
    const T a = from[i], b = from[i + half];
    to[i] = a * cos[i] + b * sin[i];
    to[i + half] = b * cos[i] - a * sin[i];
  }
}

}  // namespace allot::lm::kernels
