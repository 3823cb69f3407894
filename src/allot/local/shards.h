// Shards of one update on worker threads, and the sum of their gradients in fixed order.
#pragma once

#include <functional>
#include <vector>

#include "allot/lm/model.h"
#include "allot/lm/tensor.h"

namespace allot {

// Calls work(0) .. work(shards - 1), each once, on at most `workers` threads with one intra-op
// thread each. Returns when all are done; then rethrows the exception of the first shard that threw
// one.
void for_each_shard(int shards, int workers, const std::function<void(int shard)>& work);

// Calls work(view, shard) likewise, every shard with a view of `model` whose leaves collect its own
// gradients. Returns their sum over the shards, added in the order of the shards, by the order of
// Model::parameters(); zeros where no shard reached a parameter.
std::vector<at::Tensor> summed_gradients(
    const lm::Model& model, int shards, int workers,
    const std::function<void(const lm::Model& view, int shard)>& work);

// Makes library operations of the calling thread run in this thread alone, so that reductions
// (norms) do not depend on the number of cores.
void use_one_thread();

// More than one worker pays on the CPU only.
int workers_for(const lm::Model& model, int workers);

}  // namespace allot
