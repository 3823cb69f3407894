#include "allot/local/shards.h"

#include <algorithm>
#include <exception>
#include <thread>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>

#include "allot/lm/matmul.h"

namespace allot {
void for_each_shard(int shards, int workers, const std::function<void(int)>& work) {
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(std::max(0, shards)));
  const int count = std::clamp(workers, 1, std::max(1, shards));
  std::vector<std::jthread> threads;  // joined also where starting one throws
  for (int w = 0; w < count; ++w) {
    threads.emplace_back([&, w] {
      use_one_thread();
      for (int shard = w; shard < shards; shard += count) {
        try {
          work(shard);
        } catch (...) {
          failures[static_cast<std::size_t>(shard)] = std::current_exception();
        }
      }
    });
  }
  for (std::jthread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

std::vector<at::Tensor> summed_gradients(
    const lm::Model& model, int shards, int workers,
    const std::function<void(const lm::Model& view, int shard)>& work) {
  std::vector<lm::Model> views;
  for (int shard = 0; shard < shards; ++shard) views.push_back(model.training_view());
  for_each_shard(shards, workers,
                 [&](int shard) { work(views[static_cast<std::size_t>(shard)], shard); });

  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> sum(model.parameters().size());
  for (const lm::Model& view : views) {
    const std::vector<lm::NamedTensor> parameters = view.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const at::Tensor gradient = parameters[i].tensor.grad();
      if (!gradient.defined()) continue;
      if (sum[i].defined())
        sum[i].add_(gradient);
      else
        sum[i] = gradient;
    }
  }
  const std::vector<lm::NamedTensor> parameters = model.parameters();
  for (std::size_t i = 0; i < sum.size(); ++i)
    if (!sum[i].defined()) sum[i] = at::zeros_like(parameters[i].tensor);
  return sum;
}

void use_one_thread() { lm::set_worker_threads(); }

int workers_for(const lm::Model& model, int workers) {
  return model.device().is_cpu() ? workers : 1;
}

}  // namespace allot
