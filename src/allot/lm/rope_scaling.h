// The frequencies of rotary position embedding, also stretched to longer contexts. The one place
// that makes them: every path rotates by these (kernels/rope.h).
//
// With w_i = theta^(-2i/head_dim), i < head_dim/2, and wavelengths l_i = 2 pi / w_i:
//   default  w_i
//   linear   w_i / factor (Chen et al. 2023, arXiv 2306.15595)
//   llama3   w_i where l_i is short (below original / high_freq_factor), w_i / factor where it is
//            long (above original / low_freq_factor), in between mixed linearly in original / l_i
//            (Llama 3.1)
//   yarn     mixed by a ramp over i between the dimensions that make beta_fast and beta_slow turns
//            in the original context; cosines and sines are multiplied by an attention factor
//            (Peng et al. 2023, arXiv 2309.00071)
// Names and defaults are those of Hugging Face's rope_scaling.
#pragma once

#include <vector>

namespace allot::lm {

struct ModelConfig;

enum class RopeType { Default, Linear, Llama3, Yarn };

// Which fields count depends on the type; the others keep their defaults.
struct RopeScaling {
  RopeType type = RopeType::Default;
  double factor = 1;         // at least 1
  int original_context = 0;  // llama3, yarn: most positions before stretching; 0: the context
  double low_freq_factor = 1, high_freq_factor = 4;  // llama3
  double beta_fast = 32, beta_slow = 1;              // yarn
  double attention_factor = 0;                       // yarn; 0: 0.1 ln(factor) + 1 or by mscale
  double mscale = 0, mscale_all_dim = 0;             // yarn; 0: not given
  bool truncate = true;                              // yarn: the ramp's ends are whole dimensions

  bool operator==(const RopeScaling&) const = default;

  // Throws Error(Config) naming the field that does not fit.
  void validate() const;
};

struct RopeFrequencies {
  std::vector<double> inverse;  // [head_dim / 2] radians per position
  double amplitude = 1;         // of cosines and sines
};

RopeFrequencies rope_frequencies(const ModelConfig& config);

}  // namespace allot::lm
