#include "allot/app/rollout_engine.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "allot/core/error.h"
#include "allot/local/engine.h"
#include "allot/remote/server_engine.h"
#include "allot/remote/weight_publisher.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

// One folder that is overwritten: a server that loads again reads where it was started.
class PublishedModel final : public remote::WeightPublisher {
 public:
  PublishedModel(const lm::Model& model, const Tokenizer& tokenizer, const fs::path& folder,
                 const std::string& as)
      : model_(model),
        tokenizer_(tokenizer),
        folder_(fs::absolute(folder)),
        as_(as.empty() ? folder_.string() : as) {}

  std::string publish(Version) override {
    const bool rounded = model_.dtype() == at::kBFloat16;
    model_.save(folder_.string(), {.type = rounded ? lm::NumberType::BF16 : lm::NumberType::F32});
    tokenizer_.save(folder_.string());
    return as_;
  }

 private:
  const lm::Model model_;
  const Tokenizer& tokenizer_;
  fs::path folder_;
  std::string as_;
};

// A folder for each version, since a server has several adapters at a time.
class PublishedAdapter final : public remote::WeightPublisher {
 public:
  PublishedAdapter(std::shared_ptr<const lm::LoraAdapter> adapter, const fs::path& folder,
                   const std::string& as)
      : adapter_(std::move(adapter)),
        folder_(fs::absolute(folder)),
        as_(as.empty() ? folder_ : fs::path(as)) {}

  std::string publish(Version version) override {
    adapter_->save((folder_ / name(version)).string());
    return (as_ / name(version)).string();
  }
  void retire(Version version) override { fs::remove_all(folder_ / name(version)); }

 private:
  static std::string name(Version version) { return concat("adapter-", version); }

  std::shared_ptr<const lm::LoraAdapter> adapter_;
  fs::path folder_, as_;
};

// The first line of the file, without the blanks around it.
std::string key_in(const std::string& file) {
  if (file.empty()) return {};
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line))
    throw Error(ErrorKind::Config, "rollout.server.api_key_file",
                concat("'", file, "' cannot be read or is empty; a file with a key is needed"));
  constexpr const char* kBlank = " \t\r";
  const std::size_t first = line.find_first_not_of(kBlank);
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

std::unique_ptr<RolloutEngine> make_rollout_engine(const RunConfig& config, const lm::Model& model,
                                                   const Tokenizer& tokenizer,
                                                   const std::atomic<bool>& stop,
                                                   std::shared_ptr<const lm::LoraAdapter> adapter) {
  if (config.sampler.engine == EngineKind::Local)
    return std::make_unique<LocalEngine>(model, tokenizer, config.engine, &stop);
  const remote::ServerOptions& server = config.sampler.server;
  const bool lora = server.load == remote::LoadBy::Lora;
  if (lora && adapter == nullptr)
    throw Error(ErrorKind::Config, "rollout.server.load",
                "lora was given, and model.lora.r is 0; an adapter that is trained is needed",
                "model.lora.r: 16, or rollout.server.load: folder");
  const fs::path folder = server.publish.empty() ? fs::path(config.train.output) / "published"
                                                 : fs::path(server.publish);
  std::shared_ptr<remote::WeightPublisher> weights;
  if (lora)
    weights = std::make_shared<PublishedAdapter>(std::move(adapter), folder, server.publish_as);
  else
    weights = std::make_shared<PublishedModel>(model, tokenizer, folder, server.publish_as);
  return std::make_unique<remote::ServerEngine>(server, key_in(server.api_key_file), tokenizer,
                                                std::move(weights), &stop);
}

std::string take_trouble(RolloutEngine& engine) {
  auto* server = dynamic_cast<remote::ServerEngine*>(&engine);
  return server == nullptr ? std::string() : server->take_trouble();
}

}  // namespace allot
