// What every run of a configuration starts from: its task and a model that can already read it.
//
// A model is loaded from model.path, or made with random weights and warmed up on demonstrations.
// The warmed-up model is cached in train.output/.warm-start/KEY, where KEY is a hash of all options
// it depends on; runs that differ only in their method or seed share it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "allot/app/config.h"
#include "allot/lm/model.h"
#include "allot/loop/recorder.h"
#include "allot/tasks/registry.h"
#include "allot/text/tokenizer.h"

namespace allot {

struct StartingPoint {
  std::shared_ptr<const Tokenizer> tokenizer;
  lm::Model model;
  bool from_cache = false;
  std::optional<lm::Model> sampler = std::nullopt;  // of rollout.model; nobody changes it

  // With weights of its own. A run trains those of the starting point it is given.
  StartingPoint copy() const { return {tokenizer, model.clone(), from_cache, sampler}; }
};

// Without a warm start: its model from the cache, or else one with random weights. For looking at
// what a run would do.
std::unique_ptr<StartingPoint> cold_starting_point(const RunConfig& config);

// nullptr: stopped during the warm start, and nothing is cached. Errors are those of its parts.
std::unique_ptr<StartingPoint> starting_point(const RunConfig& config, Recorder& console,
                                              const std::atomic<bool>& stop);

}  // namespace allot
