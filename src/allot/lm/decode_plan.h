// How the threads of a generation share the work. Internal to lm/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "allot/lm/generator.h"

namespace allot::lm {

struct DecodePlan {
  int workers = 1;  // each with sequences of its own
  int members = 1;  // threads of each worker's team
  int slots = 1;    // places of each worker

  int rows() const;  // that a worker decodes or prefills together
};

// `packed_bytes`: of the weights. Where they exceed the caches that threads share, all threads are
// one team, so that each weight comes from memory once per token and not once per worker.
DecodePlan plan_decoding(const GeneratorOptions& options, std::uint64_t sequences,
                         std::size_t packed_bytes);

}  // namespace allot::lm
