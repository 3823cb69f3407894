#include "allot/lm/generator.h"

#include <cmath>

#include "allot/core/error.h"
#include "allot/lm/generator_backend.h"

namespace allot::lm {
namespace {

constexpr const char* kWhere = "lm.generator";

void check_sampling(const GenerationRequest& r) {
  const auto refuse = [&](const char* name, auto value, const char* needed) {
    throw Error(ErrorKind::Config, kWhere,
                concat("request ", r.id, ": ", name, " ", value, " was given; ", needed));
  };
  if (r.temperature != 0 &&
      !(r.temperature >= kLowestTemperature && std::isfinite(r.temperature))) {
    refuse("temperature", r.temperature, "0 (greedy) or a number of at least 0.0001 is needed");
  }
  if (!(r.top_p > 0 && r.top_p <= 1)) refuse("top_p", r.top_p, "more than 0, at most 1 is needed");
  if (!(r.min_p >= 0 && r.min_p <= 1)) refuse("min_p", r.min_p, "0 to 1 is needed");
  if (r.top_k < 0) refuse("top_k", r.top_k, "0 (off) or more is needed");
  if (r.max_new == 0) refuse("max_new", r.max_new, "at least 1 is needed");
}

void check_prompt(const GenerationRequest& r, const ModelConfig& config) {
  if (r.prompt.empty()) {
    throw Error(ErrorKind::Data, kWhere,
                concat("request ", r.id, ": the prompt is empty; at least one token is needed"));
  }
  if (r.prompt.size() + r.max_new > static_cast<std::size_t>(config.context)) {
    throw Error(
        ErrorKind::Data, kWhere,
        concat("request ", r.id, ": a prompt of ", r.prompt.size(), " tokens and ", r.max_new,
               " new ones were given; the context holds ", config.context),
        "shorten the prompt, lower the response limit or use a model with a larger context");
  }
  for (const std::int32_t token : r.prompt) {
    if (token < 0 || token >= config.vocab) {
      throw Error(ErrorKind::Data, kWhere,
                  concat("request ", r.id, ": token ", token, " was given; the vocabulary is 0 to ",
                         config.vocab - 1));
    }
  }
}

Model decoded_by(const Model& model, const GeneratorOptions& options) {
  const bool as_it_is =
      options.type == DecodeType::OfModel || model.dtype() == at::ScalarType::BFloat16;
  return as_it_is ? model : model.converted(at::kBFloat16);
}

}  // namespace

void throw_not_finite(std::uint64_t sequence, std::size_t token) {
  throw Error(ErrorKind::Model, kWhere,
              concat("the logits of token ", token, " of sequence ", sequence,
                     " are not finite; finite weights are needed"),
              "the model has diverged: lower the learning rate or go back to a checkpoint");
}

struct Generator::Impl {
  // `decoded` refers to the storage of the user's model or is the rounded copy of it.
  Impl(const Model& model, Model decoded) : model(model), decoded(std::move(decoded)) {}

  bool rounded() const { return decoded.dtype() != model.dtype(); }

  Model model, decoded;
  std::unique_ptr<GeneratorBackend> backend;
  bool stale = false;  // the copy is
};

Generator::Generator() = default;
Generator::~Generator() = default;
Generator::Generator(Generator&&) noexcept = default;

Generator::Generator(const Model& model, GeneratorOptions options) {
  if (options.workers < 1 || options.slots < 1) {
    throw Error(ErrorKind::Config, kWhere,
                concat(options.workers, " workers with ", options.slots,
                       " slots were given; at least 1 of each is needed"));
  }
  impl_ = std::make_unique<Impl>(model, decoded_by(model, options));
  const at::ScalarType type = impl_->decoded.dtype();
  const bool own_kernels = model.device().is_cpu() &&
                           (type == at::kFloat || type == at::kDouble || type == at::kBFloat16);
  impl_->backend = own_kernels ? make_decode_backend(impl_->decoded, options)
                               : make_reference_backend(impl_->decoded, options);
}

Generator Generator::reference(const Model& model, GeneratorOptions options) {
  Generator generator;
  generator.impl_ = std::make_unique<Impl>(model, decoded_by(model, options));
  generator.impl_->backend = make_reference_backend(generator.impl_->decoded, options);
  return generator;
}

GenerationCost Generator::run(const std::vector<GenerationRequest>& requests,
                              const std::function<bool(GeneratedSequence&&)>& finished,
                              const std::atomic<bool>* stop) {
  bool any = false;
  for (const GenerationRequest& request : requests) {
    check_sampling(request);
    check_prompt(request, impl_->model.config());
    any = any || request.n > 0;
  }
  if (!any) return {};
  if (impl_->stale) {
    impl_->decoded.copy_from(impl_->model);
    impl_->stale = false;
  }
  return impl_->backend->run(requests, finished, stop);
}

void Generator::weights_changed() {
  impl_->stale = impl_->rounded();
  impl_->backend->weights_changed();
}

}  // namespace allot::lm
