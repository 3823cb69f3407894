#include "bindings/arrays.h"

namespace allot::python {

std::optional<AnyArray> array_of(nb::handle values) {
  if (values.is_none() || is_text(values) || PyList_Check(values.ptr()) ||
      PyTuple_Check(values.ptr()) || !nb::hasattr(values, "shape"))
    return std::nullopt;
  AnyArray array;
  if (!nb::try_cast(values, array)) return std::nullopt;
  const nb::dlpack::dtype type = array.dtype();
  const auto code = static_cast<nb::dlpack::dtype_code>(type.code);
  using Code = nb::dlpack::dtype_code;
  const bool plain =
      type.lanes == 1 && (code == Code::Int || code == Code::UInt || code == Code::Bool ||
                          (code == Code::Float && (type.bits == 32 || type.bits == 64)));
  if (!plain || type.bits > 64) return std::nullopt;
  return array;
}

void require_one_dimension(const AnyArray& array, nb::handle given, const Place& place) {
  if (array.ndim() != 1) refuse_value(place, given, "one dimension");
}

std::vector<float> floats_of(nb::handle values, std::string_view what) {
  std::vector<float> out;
  if (const auto array = array_of(values)) {
    require_one_dimension(*array, values, {what});
    out.reserve(array->shape(0));
    each_element(*array,
                 [&](std::size_t, auto value) { out.push_back(static_cast<float>(value)); });
    return out;
  }
  if (is_text(values) || !nb::hasattr(values, "__iter__"))
    refuse_value({what}, values, "an array or a sequence of numbers");
  for (const nb::handle value : values)
    out.push_back(static_cast<float>(
        number(value, {what, static_cast<std::ptrdiff_t>(out.size())}, "a number")));
  return out;
}

}  // namespace allot::python
