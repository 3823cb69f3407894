// Options of the language model of this machine, model.*, and how one is made from them.
#pragma once

#include <cstdint>
#include <string>

#include "allot/core/options.h"
#include "allot/lm/config.h"
#include "allot/lm/model.h"

namespace allot {

// Built-in shapes in the style of Qwen2 with a tied head. Parameters at a vocabulary of 64:
// S 0.31 M, M 1.59 M, L 6.29 M.
enum class ModelSize { S, M, L };

enum class ModelDevice { Cpu, Cuda };

struct ModelOptions {
  std::string path;  // "" = built in
  ModelSize size = ModelSize::S;
  int dim = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, ffn = 0;  // 0 = the size's
  int context = 256;
  ModelDevice device = ModelDevice::Cpu;
  std::uint64_t seed = 0;

  // The shape of a built-in model. Throws Error(Config) naming what does not fit.
  lm::ModelConfig shape(int vocab) const;

  // Throws Error(Config), e.g. for a shape given together with a path, or a device that is absent.
  void validate() const;

  template <class V>
  void fields(V& v);
};

// Loads `options.path`, or starts a built-in shape with random weights that depend on the shape and
// options.seed only. Float weights on the chosen device.
// Throws Error(Model) if a loaded model's vocabulary is smaller than `vocab`.
lm::Model make_model(const ModelOptions& options, int vocab);

template <class V>
void ModelOptions::fields(V& v) {
  v("path", path, "folder with config.json and model.safetensors; empty = a built-in shape");
  v("size", size, Choices<ModelSize>{{"S", ModelSize::S}, {"M", ModelSize::M}, {"L", ModelSize::L}},
    "built-in shape: S 0.3, M 1.6, L 6.3 million parameters");
  v("dim", dim, Range{0, 65536}, "hidden size; 0 = the size's");
  v("layers", layers, Range{0, 1000}, "number of layers; 0 = the size's");
  v("heads", heads, Range{0, 1024}, "query heads; 0 = the size's");
  v("kv_heads", kv_heads, Range{0, 1024},
    "key and value heads, a divisor of heads; 0 = the size's");
  v("head_dim", head_dim, Range{0, 1024}, "size of one head, even; 0 = dim / heads");
  v("ffn", ffn, Range{0, 1e6}, "inner size of the feed-forward part; 0 = the size's");
  v("context", context, Range{2, 1e6}, "most positions of prompt and response together");
  v("device", device, Choices<ModelDevice>{{"cpu", ModelDevice::Cpu}, {"cuda", ModelDevice::Cuda}},
    "where the model is computed");
  v("seed", seed, Range{0, 9e15}, "of the random weights of a built-in shape");
}

}  // namespace allot
