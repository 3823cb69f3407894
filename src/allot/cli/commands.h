// The commands of the program. Each adds itself to the parser and leaves behind what to run.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace allot {

// Returns the exit code. Errors leave as exceptions and are printed in one place, main.cc.
using Action = std::function<int()>;

// Exit codes that are no error of ours.
constexpr int kStoppedByUser = 6;    // after an interrupt
constexpr int kStoppedByHealth = 7;  // by a health rule

// Sets `chosen` when the command line names the command.
void add_train(CLI::App& app, Action& chosen);
void add_compare(CLI::App& app, Action& chosen);
void add_simulate(CLI::App& app, Action& chosen);
void add_eval(CLI::App& app, Action& chosen);
void add_report(CLI::App& app, Action& chosen);
void add_ledger(CLI::App& app, Action& chosen);
void add_replay(CLI::App& app, Action& chosen);
void add_verify(CLI::App& app, Action& chosen);
void add_data(CLI::App& app, Action& chosen);
void add_tokenize(CLI::App& app, Action& chosen);
void add_objective(CLI::App& app, Action& chosen);
void add_methods(CLI::App& app, Action& chosen);
void add_config(CLI::App& app, Action& chosen);
void add_doctor(CLI::App& app, Action& chosen);

}  // namespace allot
