// allot.methods(): what the registry and the options' declarations say, as objects.
#include <cmath>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "allot/methods/pairs.h"
#include "bindings/keywords.h"

namespace allot::python {
namespace {

struct OptionView {
  std::string name, key, type, help;
  nb::object default_value;
  std::optional<Range> range;
  std::vector<std::string> choices;
};

struct MethodView {
  std::string name, summary, paper;
  Needs needs;
  std::vector<OptionView> options;
};

nb::object value_of(const Option& option) {
  return std::visit(
      [](const auto& slot) -> nb::object {
        if constexpr (std::is_same_v<std::decay_t<decltype(slot)>, Option::EnumSlot>)
          return nb::cast(slot.name());
        else
          return nb::cast(*slot);
      },
      option.slot);
}

OptionView view_of(const Option& option, std::string name) {
  OptionView view{
      std::move(name), option.key, option.type(), option.help, value_of(option), {}, {}};
  if (std::isfinite(option.range.low) || std::isfinite(option.range.high))
    view.range = option.range;
  if (const auto* slot = std::get_if<Option::EnumSlot>(&option.slot))
    for (const Choice& choice : slot->choices) view.choices.emplace_back(choice.name);
  return view;
}

// All keywords under which a fresh set of options can be reached, one per option.
std::vector<OptionView> views_of(const Keywords& keywords) {
  std::vector<OptionView> views;
  for (const Keyword& keyword : keywords.all())
    views.push_back(view_of(*keyword.option, keyword.name));
  return views;
}

MethodView view_of(const MethodInfo& info) {
  AllocOptions alloc;
  MethodView view{info.name, info.summary, info.paper, default_needs(info.name), {}};
  view.options = views_of(own_keywords(alloc, info.name));
  return view;
}

std::vector<MethodView> list_methods(bool with_combinations) {
  std::vector<MethodView> views;
  for (const MethodInfo& info : methods()) views.push_back(view_of(info));
  if (with_combinations)
    for (const MethodInfo& info : combinations()) views.push_back(view_of(info));
  return views;
}

std::vector<OptionView> shared_options() {
  AllocOptions alloc;
  AdvantageOptions adv;
  return views_of(shared_keywords(alloc, adv));
}

}  // namespace

void bind_methods(nb::module_& m) {
  nb::class_<OptionView>(m, "Option", "A keyword argument of Controller.")
      .def_ro("name", &OptionView::name, "the keyword")
      .def_ro("key", &OptionView::key, "its key in configuration files")
      .def_ro("type", &OptionView::type, "'int', 'float', 'bool', 'text', 'list of int', ...")
      .def_ro("default", &OptionView::default_value)
      .def_prop_ro(
          "range",
          [](const OptionView& self) -> std::optional<std::pair<double, double>> {
            if (!self.range) return std::nullopt;
            return std::pair(self.range->low, self.range->high);
          },
          "(low, high), both included; None = any")
      .def_ro("choices", &OptionView::choices, "of an option with named values, else empty")
      .def_ro("help", &OptionView::help, "what it means")
      .def("__repr__", [](const OptionView& self) {
        return concat("allot.Option(", self.name, ": ", self.type, " = ",
                      nb::cast<std::string>(nb::repr(self.default_value)), ")");
      });
  nb::class_<MethodView>(m, "Method", "An allocation method.")
      .def_ro("name", &MethodView::name)
      .def_ro("summary", &MethodView::summary)
      .def_ro("paper", &MethodView::paper)
      .def_ro("needs", &MethodView::needs, "with default options")
      .def_ro("options", &MethodView::options, "its own; shared_options() are those of all methods")
      .def("__repr__", [](const MethodView& self) {
        return concat("allot.Method(", self.name, ": ", self.summary, ")");
      });
  m.def("methods", list_methods, nb::arg("combinations") = false,
        "All methods; with combinations also pairs like 'mopps+aero'.");
  m.def(
      "method", [](const std::string& name) { return view_of(method_info(name)); }, nb::arg("name"),
      "One method, or a combination.");
  m.def("shared_options", shared_options,
        "Keyword arguments of Controller that every method takes.");
}

}  // namespace allot::python
