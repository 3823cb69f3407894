#include "allot/app/run_options.h"

#include <algorithm>
#include <filesystem>

#include "allot/core/error.h"

namespace allot {
namespace {

// "gsm8k" of data/gsm8k.jsonl, and of data/gsm8k/test.jsonl.
std::string name_of(const std::filesystem::path& path) {
  std::string name = path.stem().string();
  const bool is_split = name == "test" || name == "eval" || name == "validation";
  if (is_split && path.has_parent_path()) name = path.parent_path().filename().string();
  return name;
}

}  // namespace

std::vector<NamedFile> EvalOptions::files() const {
  std::vector<NamedFile> files;
  for (const std::string& text : sets) {
    const std::size_t equals = text.find('=');
    NamedFile file = equals == std::string::npos
                         ? NamedFile{name_of(text), text}
                         : NamedFile{text.substr(0, equals), text.substr(equals + 1)};
    const bool is_taken = std::any_of(files.begin(), files.end(),
                                      [&](const NamedFile& one) { return one.name == file.name; });
    if (file.name.empty() || file.path.empty() || file.name == "test" || is_taken ||
        file.name.find('/') != std::string::npos)
      throw Error(ErrorKind::Config, "eval.sets",
                  concat("'", text, "' was given, which would be called '", file.name,
                         "'; a file with a name of its own is needed"),
                  "NAME=FILE; the run's own held-out prompts are called test");
    files.push_back(std::move(file));
  }
  return files;
}

void EngineOptions::validate() const {
  server.validate();
  const auto refuse = [](const char* key, const char* why) {
    throw Error(ErrorKind::Config, key, why);
  };
  if (engine == EngineKind::Server && (model != SamplerModel::Trained || refresh_every > 1))
    refuse(model != SamplerModel::Trained ? "rollout.model" : "rollout.refresh_every",
           "a policy of its own was given with rollout.engine = server, which loads the trained "
           "one; rollout.engine = local is needed");
  if (model != SamplerModel::Trained && refresh_every > 1)
    refuse("rollout.refresh_every",
           "more than 1 was given with rollout.model, a policy that is never refreshed; one of the "
           "two is needed");
}

}  // namespace allot
