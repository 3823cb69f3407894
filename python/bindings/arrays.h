// Arrays from Python: numpy, torch on the CPU, anything with DLPack or the buffer protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <nanobind/ndarray.h>

#include "allot/core/error.h"
#include "bindings/values.h"

namespace allot::python {

using AnyArray = nb::ndarray<nb::ro, nb::device::cpu>;

// Nothing for a list, for text, and for elements that are no plain numbers (objects, strings,
// half precision): those are read one by one.
std::optional<AnyArray> array_of(nb::handle values);

void require_one_dimension(const AnyArray& array, nb::handle given, const Place& place);

// Numbers [n] of any array or sequence.
std::vector<float> floats_of(nb::handle values, std::string_view what);

// Calls visit(i, value) for the elements of a one-dimensional array, with their own type.
template <class Visit>
void each_element(const AnyArray& array, Visit visit) {
  const auto run = [&]<class T>(const T*) {
    const T* data = static_cast<const T*>(array.data());
    const std::int64_t stride = array.stride(0);
    for (std::size_t i = 0; i < array.shape(0); ++i)
      visit(i, data[static_cast<std::int64_t>(i) * stride]);
  };
  const nb::dlpack::dtype type = array.dtype();
  const auto code = static_cast<nb::dlpack::dtype_code>(type.code);
  if (code == nb::dlpack::dtype_code::Float)
    return type.bits == 32 ? run(static_cast<float*>(nullptr)) : run(static_cast<double*>(nullptr));
  if (code == nb::dlpack::dtype_code::Bool) return run(static_cast<bool*>(nullptr));
  const bool is_signed = code == nb::dlpack::dtype_code::Int;
  switch (type.bits) {
    case 8:
      return is_signed ? run(static_cast<std::int8_t*>(nullptr))
                       : run(static_cast<std::uint8_t*>(nullptr));
    case 16:
      return is_signed ? run(static_cast<std::int16_t*>(nullptr))
                       : run(static_cast<std::uint16_t*>(nullptr));
    case 32:
      return is_signed ? run(static_cast<std::int32_t*>(nullptr))
                       : run(static_cast<std::uint32_t*>(nullptr));
    default:
      return is_signed ? run(static_cast<std::int64_t*>(nullptr))
                       : run(static_cast<std::uint64_t*>(nullptr));
  }
}

inline bool holds_wholes(const AnyArray& array) {
  const auto code = static_cast<nb::dlpack::dtype_code>(array.dtype().code);
  return code == nb::dlpack::dtype_code::Int || code == nb::dlpack::dtype_code::UInt;
}

// Whole numbers below 2^63; an array of anything else is refused.
template <class Visit>
void each_whole(const AnyArray& array, nb::handle given, const Place& place, Visit visit) {
  // An empty list becomes an array of floats in numpy; there is nothing to misread in it.
  if (array.shape(0) == 0) return;
  if (!holds_wholes(array)) refuse_value(place, given, "an array of whole numbers");
  each_element(array, [&](std::size_t i, auto value) {
    if constexpr (sizeof value == 8 && std::is_unsigned_v<decltype(value)>)
      if (value >> 63)
        refuse({place.what, static_cast<std::ptrdiff_t>(i)}, concat("the number ", value),
               "a whole number below 2^63");
    visit(i, static_cast<std::int64_t>(value));
  });
}

}  // namespace allot::python
