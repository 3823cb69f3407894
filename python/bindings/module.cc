#include "bindings/bindings.h"

NB_MODULE(_core, m) {
  using namespace allot::python;
  m.doc() = "The compiled part of allot; import allot instead.";
  m.attr("version") = ALLOT_VERSION;
  bind_errors(m);
  bind_prompts(m);
  bind_host(m);
  bind_plan(m);
  bind_outcomes(m);
  bind_batch(m);
  bind_records(m);
  bind_controller(m);
  bind_methods(m);
  bind_simulate(m);
  bind_tasks(m);
  bind_objective(m);
}
