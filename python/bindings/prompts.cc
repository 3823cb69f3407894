#include "bindings/prompts.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "allot/core/error.h"
#include "allot/core/prompt_id.h"
#include "bindings/arrays.h"

namespace allot::python {
namespace {

constexpr std::uint64_t kLargestId = (std::uint64_t{1} << 63) - 1;
constexpr std::string_view kNeeded =
    "an id (a whole number from 0 to 2^63 - 1), a string or an allot.Prompt";

std::string_view bytes_of(nb::handle value) {
  if (PyBytes_Check(value.ptr())) {
    const nb::bytes bytes = nb::borrow<nb::bytes>(value);
    return {bytes.c_str(), bytes.size()};
  }
  return nb::cast<std::string_view>(value);
}

Prompt make_prompt(nb::handle id, std::uint32_t epoch, nb::handle embedding, nb::handle prior) {
  Prompt prompt{.id = prompt_id_of(id, {"Prompt.id"}), .epoch = epoch};
  if (!embedding.is_none()) prompt.embedding = floats_of(embedding, "Prompt.embedding");
  if (!prior.is_none()) {
    constexpr std::string_view kRate = "a number from 0 to 1";
    const Place place{"Prompt.prior_pass_rate"};
    const double rate = number(prior, place, kRate);
    if (!(rate >= 0 && rate <= 1)) refuse_value(place, prior, kRate);
    prompt.prior_pass_rate = static_cast<float>(rate);
  }
  return prompt;
}

PromptId hash(nb::handle key, nb::handle answer) {
  const Place place{"prompt_id"};
  if (!is_text(key)) refuse_value(place, key, "a str or bytes");
  if (answer.is_none()) return prompt_id(bytes_of(key));
  if (!is_text(answer)) refuse_value(place, answer, "a str or bytes as answer");
  return prompt_id(bytes_of(key), bytes_of(answer));
}

}  // namespace

PromptId prompt_id_of(nb::handle value, const Place& place) {
  if (is_text(value)) return prompt_id(bytes_of(value));
  return whole(value, place, 0, kLargestId, kNeeded);
}

std::vector<Prompt> prompts_of(nb::handle values, std::string_view what) {
  std::vector<Prompt> prompts;
  if (values.is_none()) return prompts;
  if (is_text(values) || nb::isinstance<Prompt>(values) || is_whole(values))
    refuse_value({what}, values, "a sequence of prompts");
  if (const auto array = array_of(values)) {
    require_one_dimension(*array, values, {what});
    prompts.resize(array->shape(0));
    each_whole(*array, values, {what, -1, "prompts are ids, strings or allot.Prompt"},
               [&](std::size_t i, std::int64_t id) {
                 if (id < 0)
                   refuse({what, static_cast<std::ptrdiff_t>(i)}, concat("the id ", id), kNeeded);
                 prompts[i].id = static_cast<PromptId>(id);
               });
    return prompts;
  }
  if (!nb::hasattr(values, "__iter__")) refuse_value({what}, values, "a sequence of prompts");
  std::ptrdiff_t row = 0;
  for (const nb::handle value : values) {
    if (nb::isinstance<Prompt>(value))
      prompts.push_back(nb::cast<const Prompt&>(value));
    else
      prompts.push_back({prompt_id_of(value, {what, row})});
    ++row;
  }
  return prompts;
}

std::vector<PromptRef> refs_of(const std::vector<Prompt>& prompts) {
  std::vector<PromptRef> refs;
  refs.reserve(prompts.size());
  for (const Prompt& prompt : prompts) refs.push_back(prompt.ref());
  return refs;
}

void bind_prompts(nb::module_& m) {
  nb::class_<Prompt>(m, "Prompt", "A prompt that is shown to plan() or observe().")
      .def(
          "__init__",
          [](Prompt* self, nb::handle id, std::uint32_t epoch, nb::handle embedding,
             nb::handle prior) { new (self) Prompt(make_prompt(id, epoch, embedding, prior)); },
          nb::arg("id"), nb::arg("epoch") = 0, nb::arg("embedding") = nb::none(),
          nb::arg("prior_pass_rate") = nb::none(),
          nb::sig("def __init__(self, id: int | str | bytes, epoch: int = 0, "
                  "embedding: object = None, prior_pass_rate: float | None = None) -> None"),
          "id: below 2**63, or text that is hashed (allot.prompt_id). epoch: passes over the data "
          "so far. embedding: numbers [dimensions], for methods that need one. prior_pass_rate: "
          "what is believed of it before its first rollout, from 0 to 1 (alloc.prior_strength).")
      .def_ro("id", &Prompt::id)
      .def_ro("epoch", &Prompt::epoch)
      .def_ro("embedding", &Prompt::embedding)
      .def_ro("prior_pass_rate", &Prompt::prior_pass_rate)
      .def("__repr__", [](const Prompt& prompt) {
        return concat("allot.Prompt(id=", prompt.id, ", epoch=", prompt.epoch, ")");
      });
  m.def("prompt_id", hash, nb::arg("key"), nb::arg("answer") = nb::none(),
        nb::sig("def prompt_id(key: str | bytes, answer: str | bytes | None = None) -> int"),
        "Stable identity below 2**63 of a row's key, or of its text and reference answer.");
}

}  // namespace allot::python
