#include "allot/store/store_options.h"

#include <algorithm>
#include <string_view>

#include "allot/core/error.h"

namespace allot {
namespace {

void check_all(const std::vector<std::string>& given, const std::vector<std::string>& known,
               std::string_view key) {
  for (const std::string& name : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    if (name == "wandb" || name == "trackio")
      throw Error(ErrorKind::Config, key, concat("'", name, "' was given; the program has it not"),
                  "wandb reads TensorBoard files (tensorboard); the Python package logs to it");
    std::string all;
    for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
    throw Error(ErrorKind::Config, key, concat("'", name, "' was given; ", all, " are known"));
  }
}

}  // namespace

void LogOptions::validate() const {
  check_all(to, {"none", "tensorboard"}, "log.to");
  check_all(aliases, {"none", "trl", "verl"}, "log.aliases");
}

}  // namespace allot
