// allot::Error as the exceptions of allot/errors.py, one class per ErrorKind.
#include <exception>

#include "allot/core/error.h"
#include "bindings/bindings.h"

namespace allot::python {
namespace {

const char* class_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Config:
      return "ConfigError";
    case ErrorKind::Data:
      return "DataError";
    case ErrorKind::Model:
      return "ModelError";
    case ErrorKind::Sampler:
      return "SamplerError";
    case ErrorKind::Internal:
      break;
  }
  return "InternalError";
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    const nb::object type = nb::module_::import_("allot.errors").attr(class_of(error.kind()));
    PyErr_SetString(type.ptr(), error.what());
  }
}

}  // namespace

void bind_errors(nb::module_&) { nb::register_exception_translator(translate); }

}  // namespace allot::python
