#include "bindings/values.h"

#include <algorithm>

#include "allot/core/error.h"
#include "allot/core/joined.h"

namespace allot::python {
namespace {

std::string name_of_type(nb::handle value) {
  return nb::cast<std::string>(nb::str(value.type().attr("__name__")));
}

std::string shortened(std::string text) {
  constexpr std::size_t kMost = 60;
  if (text.size() <= kMost) return text;
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // whole letters
  return text.substr(0, end) + "...";
}

}  // namespace

std::string Place::text() const {
  const std::string where = field.empty() ? std::string(what) : concat(what, ".", field);
  return row < 0 ? where : concat(where, ", row ", row);
}

std::string described(nb::handle value) {
  if (value.is_none()) return "None";
  if (nb::hasattr(value, "dtype") && nb::hasattr(value, "shape") &&
      nb::len(nb::object(value.attr("shape"))) > 0)
    return concat("an array of ", nb::cast<std::string>(nb::str(nb::object(value.attr("dtype")))),
                  " with shape ", nb::cast<std::string>(nb::str(nb::object(value.attr("shape")))));
  return concat("the ", name_of_type(value), " ",
                shortened(nb::cast<std::string>(nb::repr(value))));
}

void refuse(const Place& place, std::string_view given, std::string_view needed) {
  throw Error(ErrorKind::Data, place.text(), concat(given, " was given; ", needed, " is needed"),
              place.hint);
}

void refuse_value(const Place& place, nb::handle value, std::string_view needed) {
  refuse(place, described(value), needed);
}

bool is_text(nb::handle value) {
  return PyUnicode_Check(value.ptr()) || PyBytes_Check(value.ptr());
}

bool is_whole(nb::handle value) {
  return !PyBool_Check(value.ptr()) && PyIndex_Check(value.ptr()) &&
         (PyLong_Check(value.ptr()) || !nb::hasattr(value, "__len__") ||
          !nb::hasattr(value, "dtype") || nb::cast<int>(nb::object(value.attr("ndim"))) == 0);
}

bool is_number(nb::handle value) {
  if (PyFloat_Check(value.ptr()) || PyLong_Check(value.ptr())) return true;
  return !is_text(value) && nb::hasattr(value, "__float__") &&
         !(nb::hasattr(value, "ndim") && nb::cast<int>(nb::object(value.attr("ndim"))) > 0);
}

std::uint64_t whole(nb::handle value, const Place& place, std::uint64_t low, std::uint64_t high,
                    std::string_view needed) {
  if (!is_whole(value)) refuse_value(place, value, needed);
  const nb::object index = nb::steal(PyNumber_Index(value.ptr()));
  const unsigned long long out = index.is_valid() ? PyLong_AsUnsignedLongLong(index.ptr()) : 0;
  if (PyErr_Occurred()) {  // negative, or of more than 64 bits
    PyErr_Clear();
    refuse_value(place, value, needed);
  }
  if (out < low || out > high) refuse_value(place, value, needed);
  return out;
}

std::int64_t whole_or_negative(nb::handle value, const Place& place, std::string_view needed) {
  if (!is_whole(value)) refuse_value(place, value, needed);
  const nb::object index = nb::steal(PyNumber_Index(value.ptr()));
  const long long out = index.is_valid() ? PyLong_AsLongLong(index.ptr()) : 0;
  if (PyErr_Occurred()) {
    PyErr_Clear();
    refuse_value(place, value, needed);
  }
  return out;
}

double number(nb::handle value, const Place& place, std::string_view needed) {
  if (!is_number(value)) refuse_value(place, value, needed);
  const nb::object converted = nb::steal(PyNumber_Float(value.ptr()));
  if (!converted.is_valid()) {
    PyErr_Clear();
    refuse_value(place, value, needed);
  }
  return PyFloat_AsDouble(converted.ptr());
}

bool yes_no(nb::handle value, const Place& place) {
  constexpr std::string_view kNeeded = "True or False";
  if (value.is(Py_True)) return true;
  if (value.is(Py_False)) return false;
  if (value.is_none() || !is_number(value)) refuse_value(place, value, kNeeded);
  const double as_number = number(value, place, kNeeded);  // 0, 1 and numpy.bool_
  if (as_number != 0 && as_number != 1) refuse_value(place, value, kNeeded);
  return as_number == 1;
}

std::string text(nb::handle value, const Place& place, std::string_view needed) {
  if (!PyUnicode_Check(value.ptr())) refuse_value(place, value, needed);
  return nb::cast<std::string>(value);
}

std::size_t one_of(nb::handle value, const Place& place, const std::vector<std::string>& names) {
  const std::string listed = concat("one of ", joined(names));
  const std::string given = text(value, place, listed);
  const auto found = std::find(names.begin(), names.end(), given);
  if (found == names.end()) refuse_value(place, value, listed);
  return static_cast<std::size_t>(found - names.begin());
}

bool is_mapping(nb::handle value) {
  return PyDict_Check(value.ptr()) || (!is_text(value) && nb::hasattr(value, "keys"));
}

nb::dict dict_of(nb::handle mapping) {
  if (PyDict_Check(mapping.ptr())) return nb::borrow<nb::dict>(mapping);
  return nb::borrow<nb::dict>(nb::module_::import_("builtins").attr("dict")(mapping));
}

void each_keyword(nb::dict given, const std::vector<std::string>& names, std::string_view where,
                  const std::function<void(std::size_t, nb::handle)>& set) {
  for (const auto [key, value] : given) {
    const std::string name = nb::cast<std::string>(key);
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const std::string near = nearest(name, names);
      throw Error(ErrorKind::Config, where,
                  concat("'", name, "' was given; one of ", joined(names), " is needed"),
                  near.empty() ? "" : concat("did you mean '", near, "'?"));
    }
    set(static_cast<std::size_t>(found - names.begin()), value);
  }
}

}  // namespace allot::python
