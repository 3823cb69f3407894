// Who samples the rollouts of a run: the model of this machine, or a server that loads its weights.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "allot/app/config.h"
#include "allot/lm/lora.h"
#include "allot/lm/model.h"
#include "allot/loop/engine.h"
#include "allot/text/tokenizer.h"

namespace allot {

// `model` (whose storage it shares), `tokenizer` and `stop` outlive the engine. For a server,
// weights are published in rollout.server.publish as a checkpoint folder (config.json,
// model.safetensors, the tokenizer's files), or, with rollout.server.load: lora, the `adapter` that
// is trained as one folder per version (adapter_config.json, adapter_model.safetensors). Throws
// Error(Config), also for a file with a key that cannot be read.
std::unique_ptr<RolloutEngine> make_rollout_engine(
    const RunConfig& config, const lm::Model& model, const Tokenizer& tokenizer,
    const std::atomic<bool>& stop, std::shared_ptr<const lm::LoraAdapter> adapter = nullptr);

// What disturbed the engine since the last call and was overcome, for people; "" = nothing, always
// so for the model of this machine.
std::string take_trouble(RolloutEngine& engine);

}  // namespace allot
