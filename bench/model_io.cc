// Loading and saving of Hugging Face folders: time and memory, and files for dev/model_parity.
//
//   bench/model_io FOLDER [--type f32] [--save FOLDER] [--save-type f32] [--shard-bytes 5000000000]
//                  [--adapter FOLDER] [--save-adapter FOLDER]
//   bench/model_io --make 1000 FOLDER
//
// The peak is the process's, less what it took before the model was loaded. --make writes a
// Qwen2-shaped folder of random weights of about so many megabytes in BF16 first.
#include <cstdio>
#include <map>
#include <string>

#include "allot/lm/lora.h"
#include "allot/lm/model.h"
#include "program.h"

namespace allot {
namespace {

using bench::now;
using bench::process_megabytes;
using lm::NumberType;

struct Arguments {
  std::string folder, save, adapter, save_adapter;
  at::ScalarType type = at::kFloat;
  lm::SaveOptions save_options;
  int make_megabytes = 0;
};

void make(const std::string& folder, int megabytes) {
  lm::ModelConfig config;
  config.vocab = 32768;
  config.dim = 1024;
  config.heads = 16;
  config.kv_heads = 4;
  config.head_dim = 64;
  config.ffn = 3072;
  config.layers = 1;
  const double layer = 2e-6 * static_cast<double>(config.parameter_count());
  while (2e-6 * static_cast<double>(config.parameter_count()) + layer / 2 < megabytes)
    ++config.layers;
  lm::Model::random(config, 1, at::kBFloat16, at::kCPU)
      .save(folder, {.type = NumberType::BF16, .shard_bytes = 1'000'000'000'000});
  std::printf("made %s: %lld parameters\n", folder.c_str(), config.parameter_count());
}

void run(const Arguments& a) {
  if (a.make_megabytes > 0) return make(a.folder, a.make_megabytes);
  const double before = process_megabytes("VmRSS:"), start = now();
  const lm::Model model = lm::Model::load(a.folder, a.type, at::kCPU);
  const double seconds = now() - start;
  const double size = 1e-6 * static_cast<double>(model.config().parameter_count()) *
                      static_cast<double>(model.embedding.element_size());
  std::printf("loaded %lld parameters, %.0f MB in memory, in %.2f s (%.0f MB/s)\n",
              model.config().parameter_count(), size, seconds, size / seconds);
  std::printf("peak %.0f MB above the program's %.0f MB\n", process_megabytes("VmHWM:") - before,
              before);
  if (!a.save.empty()) {
    const double saving = now();
    model.save(a.save, a.save_options);
    lm::copy_companion_files(a.folder, a.save);
    std::printf("saved in %.2f s\n", now() - saving);
  }
  if (!a.adapter.empty()) {
    lm::LoraAdapter adapter(model, lm::LoraAdapter::read_config(a.adapter), 0);
    adapter.load(a.adapter);
    if (!a.save_adapter.empty()) adapter.save(a.save_adapter);
  }
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  allot::Arguments a;
  const std::map<std::string, at::ScalarType> types = {{"f32", at::kFloat},
                                                       {"bf16", at::kBFloat16}};
  const std::map<std::string, allot::lm::NumberType> file_types = {
      {"f32", allot::lm::NumberType::F32}, {"bf16", allot::lm::NumberType::BF16}};
  CLI::App app("Loads a Hugging Face folder, and saves it again.");
  app.add_option("folder", a.folder, "of the model")->required();
  app.add_option("--type", a.type, "in memory")->transform(CLI::CheckedTransformer(types));
  app.add_option("--save", a.save, "folder to write");
  app.add_option("--save-type", a.save_options.type, "of the files")
      ->transform(CLI::CheckedTransformer(file_types));
  app.add_option("--shard-bytes", a.save_options.shard_bytes, "largest file");
  app.add_option("--adapter", a.adapter, "folder of a LoRA adapter of the model");
  app.add_option("--save-adapter", a.save_adapter, "folder to write it to")->needs("--adapter");
  app.add_option("--make", a.make_megabytes, "write a random model of so many megabytes instead");
  return allot::bench::run_program(app, argc, argv, [&] { allot::run(a); });
}
