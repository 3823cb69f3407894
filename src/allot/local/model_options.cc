#include "allot/local/model_options.h"

#include <filesystem>

#include <ATen/Context.h>

#include "allot/core/error.h"
#include "allot/lm/matmul.h"

namespace allot {
namespace {

lm::ModelConfig size_shape(ModelSize size) {
  lm::ModelConfig shape;
  switch (size) {
    case ModelSize::S:
      shape.dim = 96, shape.layers = 3, shape.heads = 4, shape.kv_heads = 2, shape.ffn = 256;
      break;
    case ModelSize::M:
      shape.dim = 192, shape.layers = 4, shape.heads = 6, shape.kv_heads = 2, shape.ffn = 512;
      break;
    case ModelSize::L:
      shape.dim = 320, shape.layers = 6, shape.heads = 10, shape.kv_heads = 2, shape.ffn = 832;
      break;
  }
  return shape;
}

void replace(int& value, int given) {
  if (given != 0) value = given;
}

lm::LoraConfig lora_config(const ModelOptions& options) {
  const LoraOptions& lora = options.lora;
  // Whole, since the adapter is read from other folders than the run was started in.
  const std::string base =
      options.path.empty() ? ""
                           : std::filesystem::absolute(options.path).lexically_normal().string();
  return {lora.r, lora.alpha, lora.rslora, lora.targets, base};
}

at::Device device_of(ModelDevice device) {
  return device == ModelDevice::Cuda ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
}

}  // namespace

lm::ModelConfig ModelOptions::shape(int vocab) const {
  lm::ModelConfig shape = size_shape(size);
  shape.vocab = vocab;
  shape.context = context;
  replace(shape.dim, dim);
  replace(shape.layers, layers);
  replace(shape.heads, heads);
  replace(shape.kv_heads, kv_heads);
  replace(shape.ffn, ffn);
  if (head_dim == 0 && shape.dim % shape.heads != 0)
    throw Error(ErrorKind::Config, "model",
                concat("model.dim = ", shape.dim, " is not divisible by model.heads = ",
                       shape.heads, "; set model.head_dim or change one of them"));
  shape.head_dim = head_dim != 0 ? head_dim : shape.dim / shape.heads;
  shape.validate();
  return shape;
}

void ModelOptions::validate() const {
  if (device == ModelDevice::Cuda && !at::hasCUDA())
    throw Error(ErrorKind::Config, "model",
                "model.device is cuda, but this program's libtorch finds no CUDA device",
                "set model.device to cpu, or install a CUDA build of torch");
  const bool shaped =
      dim != 0 || layers != 0 || heads != 0 || kv_heads != 0 || head_dim != 0 || ffn != 0;
  if (!path.empty() && shaped)
    throw Error(ErrorKind::Config, "model",
                "model.path is set together with a shape (model.dim, layers, heads, kv_heads, "
                "head_dim or ffn); the folder's config.json has the shape, so only one may be");
  if (path.empty()) shape(/*vocab=*/64);
  if (lora.r == 0) return;
  lora_config(*this).validate();
  if (path.empty() || lm::LoraAdapter::is_adapter(path))
    throw Error(ErrorKind::Config, "model.lora.r",
                concat(lora.r, " was given, and model.path is ",
                       path.empty() ? "empty" : "an adapter's folder",
                       "; an adapter belongs to the weights of a folder"),
                "set model.path to the folder of a whole model; a run with an adapter continues "
                "from its own checkpoints");
}

lm::ModelConfig model_shape(const ModelOptions& options, int vocab) {
  options.validate();
  return options.path.empty() ? options.shape(vocab)
                              : lm::read_model_config(base_folder(options.path));
}

lm::Model make_model(const ModelOptions& options, int vocab) {
  // Before the first product of the process.
  static const lm::MatmulChoice matmul = lm::configure_matmul();
  (void)matmul;
  options.validate();
  const at::Device device = device_of(options.device);
  if (options.path.empty())
    return lm::Model::random(options.shape(vocab), options.seed, at::kFloat, device);
  lm::Model model = lm::Model::load(base_folder(options.path), at::kFloat, device);
  if (lm::LoraAdapter::is_adapter(options.path)) {
    lm::LoraAdapter adapter(model, lm::LoraAdapter::read_config(options.path), 0);
    adapter.load(options.path);
    adapter.merge_into(model);
  }
  if (model.config().vocab < vocab)
    throw Error(ErrorKind::Model, options.path,
                concat("the model has a vocabulary of ", model.config().vocab,
                       "; the tokenizer needs ", vocab));
  return model;
}

std::string base_folder(const std::string& path) {
  if (!lm::LoraAdapter::is_adapter(path)) return path;
  const std::string base = lm::LoraAdapter::read_config(path).base;
  if (base.empty() || !std::filesystem::is_directory(base))
    throw Error(ErrorKind::Model, path,
                concat("is an adapter of \"", base, "\"; the folder of that model is needed"),
                "adapter_config.json names it as base_model_name_or_path");
  return base;
}

std::shared_ptr<lm::LoraAdapter> make_adapter(const ModelOptions& options, const lm::Model& model) {
  if (options.lora.r == 0) return nullptr;
  return std::make_shared<lm::LoraAdapter>(model, lora_config(options), options.seed);
}

}  // namespace allot
