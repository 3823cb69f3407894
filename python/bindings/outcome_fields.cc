#include "bindings/outcome_fields.h"

#include <cmath>

#include "bindings/host.h"
#include "bindings/prompts.h"

namespace allot::python {
namespace {

constexpr std::string_view kReward = "a number, None or NaN (not scorable), or an exception";

// ---- whole numbers

template <auto Assign>
void wholes(std::vector<OutcomeRow>& rows, const AnyArray& array, nb::handle given,
            const Place& place) {
  each_whole(array, given, place, [&](std::size_t i, std::int64_t value) {
    Assign(rows[i], value, {place.what, static_cast<std::ptrdiff_t>(i)});
  });
}

std::uint64_t not_negative(std::int64_t value, std::uint64_t most, const Place& place) {
  if (value < 0 || static_cast<std::uint64_t>(value) > most)
    refuse(place, concat(value), concat("a whole number from 0 to ", most));
  return static_cast<std::uint64_t>(value);
}

void set_id(OutcomeRow& row, std::int64_t value, const Place& place) {
  row.outcome.id = not_negative(value, kMost63, place);
  row.has_id = true;
}
void set_prompt(OutcomeRow& row, std::int64_t value, const Place& place) {
  row.outcome.prompt = not_negative(value, kMost63, place);
  row.has_prompt = true;
}
void set_tokens(OutcomeRow& row, std::int64_t value, const Place& place) {
  row.outcome.tokens = static_cast<std::uint32_t>(not_negative(value, kMost32, place));
}
void set_behaviour(OutcomeRow& row, std::int64_t value, const Place& place) {
  row.outcome.behaviour = static_cast<Version>(not_negative(value, kMost32, place));
  row.has_behaviour = true;
}
void set_answer_class(OutcomeRow& row, std::int64_t value, const Place&) {
  row.outcome.answer_class = value;
}

template <auto Assign>
void one_whole(OutcomeRow& row, nb::handle value, const Place& place) {
  Assign(row, whole_or_negative(value, place, "a whole number below 2^63"), place);
}
void one_prompt(OutcomeRow& row, nb::handle value, const Place& place) {
  set_prompt(row, static_cast<std::int64_t>(prompt_id_of(value, place)), place);
}
void one_answer_class(OutcomeRow& row, nb::handle value, const Place& place) {
  if (!value.is_none()) one_whole<set_answer_class>(row, value, place);
}

// ---- numbers

void set_reward(OutcomeRow& row, double value) {
  row.has_reward = true;
  if (std::isnan(value)) {
    row.scored_without_reward = true;
    if (!row.has_scoring) row.outcome.scoring = Scoring::NotScorable;
  } else {
    row.outcome.reward = static_cast<float>(value);
  }
}

void one_reward(OutcomeRow& row, nb::handle value, const Place& place) {
  if (value.is_none()) return set_reward(row, std::nan(""));
  if (PyExceptionInstance_Check(value.ptr())) {
    row.has_reward = row.scored_without_reward = true;
    if (!row.has_scoring) row.outcome.scoring = Scoring::VerifierError;
    return;
  }
  set_reward(row, number(value, place, kReward));
}

void many_rewards(std::vector<OutcomeRow>& rows, const AnyArray& array, nb::handle, const Place&) {
  each_element(array,
               [&](std::size_t i, auto value) { set_reward(rows[i], static_cast<double>(value)); });
}

template <float Outcome::*Member>
void one_number(OutcomeRow& row, nb::handle value, const Place& place) {
  row.outcome.*Member = static_cast<float>(number(value, place, "a number"));
}
template <float Outcome::*Member>
void many_numbers(std::vector<OutcomeRow>& rows, const AnyArray& array, nb::handle, const Place&) {
  each_element(array, [&](std::size_t i, auto value) {
    rows[i].outcome.*Member = static_cast<float>(value);
  });
}

void one_parts(OutcomeRow& row, nb::handle value, const Place& place) {
  row.parts = floats_of(value, place.what);
}

// ---- yes or no

void set_correct(OutcomeRow& row, bool value) {
  row.outcome.correct = value;
  row.has_correct = true;
}
void set_parsed(OutcomeRow& row, bool value) { row.outcome.parsed = value; }

template <auto Assign>
void one_flag(OutcomeRow& row, nb::handle value, const Place& place) {
  Assign(row, yes_no(value, place));
}
template <auto Assign>
void many_flags(std::vector<OutcomeRow>& rows, const AnyArray& array, nb::handle given,
                const Place& place) {
  each_element(array, [&](std::size_t i, auto value) {
    const bool flag = static_cast<double>(value) == 1;
    if (!flag && static_cast<double>(value) != 0)
      refuse_value({place.what, static_cast<std::ptrdiff_t>(i)}, given, "an array of bool");
    Assign(rows[i], flag);
  });
}

// ---- names

void one_status(OutcomeRow& row, nb::handle value, const Place& place) {
  static const std::vector<std::string> names = names_of(Status::Cancelled);
  row.outcome.status = static_cast<Status>(one_of(value, place, names));
}
void one_scoring(OutcomeRow& row, nb::handle value, const Place& place) {
  static const std::vector<std::string> names = names_of(Scoring::VerifierError);
  row.outcome.scoring = static_cast<Scoring>(one_of(value, place, names));
  row.has_scoring = true;
}

}  // namespace

const std::vector<OutcomeField>& outcome_fields() {
  static const std::vector<OutcomeField> all = {
      {"id", "int", "of the rollout, as in plan.generate", one_whole<set_id>, wholes<set_id>},
      {"reward", "float | BaseException | None",
       "None or NaN: not scorable; an exception: the verifier failed", one_reward, many_rewards},
      {"prompt", "int | str", "left out: that of the request", one_prompt, wholes<set_prompt>},
      {"correct", "bool", "left out: reward > success_threshold of the Controller",
       one_flag<set_correct>, many_flags<set_correct>},
      {"tokens", "int", "generated tokens", one_whole<set_tokens>, wholes<set_tokens>},
      {"status", "str", "'ok', 'truncated', 'failed' or 'cancelled'", one_status, nullptr, true},
      {"scoring", "str", "'scored', 'not_scorable' or 'verifier_error'", one_scoring, nullptr,
       true},
      {"parsed", "bool", "False: no readable answer", one_flag<set_parsed>, many_flags<set_parsed>,
       true},
      {"answer_class", "int | None",
       "-1 or None: none; equal values from 0 on mean the same answer", one_answer_class,
       wholes<set_answer_class>},
      {"mean_logprob", "float", "mean log-probability of its tokens",
       one_number<&Outcome::mean_logprob>, many_numbers<&Outcome::mean_logprob>},
      {"mean_entropy", "float", "mean entropy at its tokens", one_number<&Outcome::mean_entropy>,
       many_numbers<&Outcome::mean_entropy>},
      {"behaviour", "int", "policy version that generated it; left out: the step's",
       one_whole<set_behaviour>, wholes<set_behaviour>, true},
      {"parts", "object", "components of a reward of several parts [parts], NaN = not scorable",
       one_parts, nullptr}};
  return all;
}

const std::vector<std::string>& outcome_field_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const OutcomeField& field : outcome_fields()) all.emplace_back(field.name);
    return all;
  }();
  return names;
}

}  // namespace allot::python
