// Options of the language model of this machine, model.*, and how one is made from them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "allot/core/options.h"
#include "allot/lm/config.h"
#include "allot/lm/lora.h"
#include "allot/lm/model.h"

namespace allot {

// Built-in shapes in the style of Qwen2 with a tied head. Parameters at a vocabulary of 64:
// S 0.31 M, M 1.59 M, L 6.29 M.
enum class ModelSize { S, M, L };

enum class ModelDevice { Cpu, Cuda };

// What the weights are computed with. Training keeps them in F32 in either case.
enum class WeightType { F32, Bf16 };

// An adapter that is trained instead of the weights (lm/lora.h).
struct LoraOptions {
  int r = 0;  // 0 = none
  double alpha = 16;
  bool rslora = false;
  std::vector<std::string> targets = lm::LoraConfig().targets;

  template <class V>
  void fields(V& v) {
    v("r", r, Range{0, 65536}, "rank of the adapter that is trained; 0 = train the weights");
    v("alpha", alpha, Range{1e-6, 1e6}, "the adapter is scaled by alpha / r");
    v("rslora", rslora, "scale by alpha / sqrt(r) instead");
    v("targets", targets,
      "matrices that get an adapter: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, "
      "down_proj");
  }
};

struct ModelOptions {
  std::string path;  // "" = built in
  ModelSize size = ModelSize::S;
  int dim = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, ffn = 0;  // 0 = the size's
  int context = 256;
  ModelDevice device = ModelDevice::Cpu;
  WeightType dtype = WeightType::F32;
  LoraOptions lora;
  std::uint64_t seed = 0;

  // The shape of a built-in model. Throws Error(Config) naming what does not fit.
  lm::ModelConfig shape(int vocab) const;

  // Throws Error(Config), e.g. for a shape given together with a path, or a device that is absent.
  void validate() const;

  template <class V>
  void fields(V& v);
};

// Loads `options.path`, or starts a built-in shape with random weights that depend on the shape and
// options.seed only. Float weights on the chosen device. A path to an adapter's folder means the
// model that it names, with the adapter merged in.
// Throws Error(Model) if a loaded model's vocabulary is smaller than `vocab`.
lm::Model make_model(const ModelOptions& options, int vocab);

// Where the weights of a path are: the folder itself, or the base of an adapter's folder.
// Throws Error(Model) for an adapter whose base is not in a folder.
std::string base_folder(const std::string& path);

// A new adapter of `model`, as options.lora asks for, or null.
std::shared_ptr<lm::LoraAdapter> make_adapter(const ModelOptions& options, const lm::Model& model);

template <class V>
void ModelOptions::fields(V& v) {
  v("path", path,
    "Hugging Face folder of a Llama, Qwen2 or Qwen3 model, or of a LoRA adapter of one; empty = a "
    "built-in shape");
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
  v("dtype", dtype, Choices<WeightType>{{"f32", WeightType::F32}, {"bf16", WeightType::Bf16}},
    "weights that responses are sampled with, and on cuda also trained with; training always keeps "
    "them in f32 beside that");
  v("lora", lora);
  v("seed", seed, Range{0, 9e15}, "of the random weights of a built-in shape");
}

}  // namespace allot
