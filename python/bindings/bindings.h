// The parts of the module allot._core, one file each. The module is torch-free and sees the rooms
// core, methods, objective, loop, sim and tasks alone.
//
// Classes that mirror a struct of core/types.h have its names, meanings and defaults; those headers
// are the manual. What a caller of Python hands in is checked here, what the values mean is
// decided by the Controller and the methods alone.
#pragma once

#include <nanobind/nanobind.h>

namespace allot::python {

namespace nb = nanobind;

void bind_errors(nb::module_& m);
void bind_prompts(nb::module_& m);
void bind_host(nb::module_& m);
void bind_plan(nb::module_& m);
void bind_outcomes(nb::module_& m);
void bind_batch(nb::module_& m);
void bind_records(nb::module_& m);
void bind_controller(nb::module_& m);
void bind_methods(nb::module_& m);
void bind_simulate(nb::module_& m);
void bind_tasks(nb::module_& m);
void bind_objective(nb::module_& m);

}  // namespace allot::python
