// The verifier of a data set: the math verifier with the preset that a prompt names, and for all
// other prompts the one that the data set is judged by.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "allot/loop/verifier.h"
#include "allot/tasks/math/options.h"

namespace allot {

// `options` with the preset of that name; as they are for "". Error(Data): there is no such preset.
verify::MathOptions preset_options(std::string_view preset, verify::MathOptions options);

// Thread-safe if `others` is, which has the math verifier's marks or none.
class ChosenVerifier final : public Verifier {
 public:
  ChosenVerifier(std::unique_ptr<Verifier> others, verify::MathOptions options);

  std::vector<Score> score(std::span<const Rollout> rollouts, const PromptSource& prompts) override;
  std::vector<std::string> mark_names() const override;

 private:
  std::unique_ptr<Verifier> others_;
  verify::MathOptions options_;
};

}  // namespace allot
