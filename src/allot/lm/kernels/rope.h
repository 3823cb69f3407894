// Rotary position embedding (Su et al. 2021, arXiv 2104.09864) in the Hugging Face layout: element
// i of a head is rotated together with element i + head_dim/2, by position * theta^(-2i/head_dim).
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace allot::lm::kernels {

// Cosines and sines of positions [0, positions), made in double. Each [positions, head_dim/2].
template <class T>
struct RopeTable {
  int half = 0;  // head_dim / 2
  std::vector<T> cos, sin;

  RopeTable(int positions, int head_dim, double theta) : half(head_dim / 2) {
    cos.resize(static_cast<std::size_t>(positions) * half);
    sin.resize(cos.size());
    std::vector<double> frequency(half);
    for (int i = 0; i < half; ++i) frequency[i] = std::pow(theta, -2.0 * i / head_dim);
    for (int p = 0; p < positions; ++p) {
      for (int i = 0; i < half; ++i) {
        const std::size_t at = static_cast<std::size_t>(p) * half + i;
        cos[at] = static_cast<T>(std::cos(p * frequency[i]));
        sin[at] = static_cast<T>(std::sin(p * frequency[i]));
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

// The transpose, which is the inverse: gradients of `rotate`.
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
