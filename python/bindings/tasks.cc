// The built-in tasks' verifiers: allot.tasks(), allot.verify().
#include <nanobind/stl/string.h>

#include "allot/core/error.h"
#include "allot/tasks/registry.h"
#include "bindings/host.h"

namespace allot::python {
namespace {

// Scores one text against one prompt.
Score verify(const std::string& task, const std::string& response, const std::string& answer,
             const std::string& prompt) {
  TaskOptions options;
  const bool math = task == "math";  // the math verifier with its default options
  options.task = math ? "jsonl" : task;
  if (math) options.jsonl.reward = Reward::Math;
  const std::unique_ptr<Verifier> verifier = make_verifier(options);
  allot::Prompt asked;
  asked.id = 1;
  asked.key = asked.text = prompt;
  asked.answer = answer;
  const PromptSet prompts({asked}, 0);
  Rollout rollout;
  rollout.id = rollout.prompt = 1;
  rollout.text = response;
  return verifier->score(std::span(&rollout, 1), prompts).at(0);
}

}  // namespace

void bind_tasks(nb::module_& m) {
  nb::class_<TaskInfo>(m, "Task", "A built-in task, with an example.")
      .def_ro("name", &TaskInfo::name)
      .def_ro("summary", &TaskInfo::summary)
      .def_ro("prompt", &TaskInfo::prompt, "an example prompt")
      .def_ro("response", &TaskInfo::response, "a correct response to it")
      .def("__repr__", [](const TaskInfo& self) {
        return concat("allot.Task(", self.name, ": ", self.summary, ")");
      });
  nb::class_<Score>(m, "Verdict", "What a verifier says about one response.")
      .def_prop_ro(
          "scoring", [](const Score& self) { return name(self.scoring); },
          "'scored', 'not_scorable' or 'verifier_error'")
      .def_ro("reward", &Score::reward, "defined where scoring is 'scored'")
      .def_ro("correct", &Score::correct)
      .def_ro("parsed", &Score::parsed, "False: no readable answer")
      .def_ro("answer", &Score::answer, "what was read as the answer")
      .def_ro("reason", &Score::reason, "for people: why it is wrong, or what went wrong")
      .def("__repr__", [](const Score& self) {
        return concat("allot.Verdict(", name(self.scoring), ", reward=", self.reward,
                      self.reason.empty() ? "" : ", ", self.reason, ")");
      });
  m.def(
      "tasks",
      []() {
        nb::list out;
        for (const TaskInfo& task : tasks()) out.append(nb::cast(task));
        return out;
      },
      nb::sig("def tasks() -> list[Task]"), "The built-in tasks; 'jsonl' compares texts.");
  m.def("verify", verify, nb::arg("task"), nb::arg("response"), nb::arg("answer"),
        nb::arg("prompt") = "");
}

}  // namespace allot::python
