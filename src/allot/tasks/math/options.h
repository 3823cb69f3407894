// Settings of the math verifier. Source: verifier specification, sections 3 and 6.
#pragma once

#include <string>
#include <vector>

#include "allot/core/options.h"

namespace allot::verify {

enum class Profile { Strict, Flexible };
enum class Gate { None, Boxed, AnswerTag, Hash, Think, Bracket };
enum class Boxes { Last, AllEqual };
enum class Assume { Real, Positive };
enum class Preset { Math, Gsm8k, Dapo, Science, Choice, Exact };

// Keys at verifier.*.
// Of the verdicts: raised whenever some answer may be judged differently than before.
inline constexpr int kVersion = 1;

struct MathOptions {
  Preset preset = Preset::Math;
  Profile profile = Profile::Strict;
  Gate gate = Gate::None;
  Boxes boxes = Boxes::Last;
  Assume assume = Assume::Real;
  std::vector<std::string> cues;
  bool prompt_opens_think = false, require_reduced = false, require_unit = false;
  bool unit_conversion = false, require_simplified = false, rounded_gold = false;
  bool base_value = false, percent = true;
  double rel_tol = 0;

  template <class V>
  void fields(V& v) {
    v("preset", preset,
      Choices<Preset>{{"math", Preset::Math},
                      {"gsm8k", Preset::Gsm8k},
                      {"dapo", Preset::Dapo},
                      {"science", Preset::Science},
                      {"choice", Preset::Choice},
                      {"exact", Preset::Exact}},
      "kind of answers: math = all; gsm8k = numbers; dapo = whole numbers, all else is "
      "unparseable; "
      "science = rounded_gold on; choice = letters A to J; exact = equal as written");
    v("profile", profile,
      Choices<Profile>{{"strict", Profile::Strict}, {"flexible", Profile::Flexible}},
      "where an answer may stand: strict = in a box, a tag, behind #### or a cue, or alone; "
      "flexible = also the last formula or the last number");
    v("gate", gate,
      Choices<Gate>{{"none", Gate::None},
                    {"boxed", Gate::Boxed},
                    {"answer_tag", Gate::AnswerTag},
                    {"hash", Gate::Hash},
                    {"think", Gate::Think},
                    {"bracket", Gate::Bracket}},
      "form that a response must have to count as an answer");
    v("boxes", boxes, Choices<Boxes>{{"last", Boxes::Last}, {"all_equal", Boxes::AllEqual}},
      "last = the last group of boxes counts; all_equal = boxes that disagree are wrong");
    v("assume", assume, Choices<Assume>{{"real", Assume::Real}, {"positive", Assume::Positive}},
      "which values variables may have");
    v("cues", cues, "further phrases in front of an answer, in any language");
    v("prompt_opens_think", prompt_opens_think,
      "the prompt ends inside <think>, so a response without </think> was cut");
    v("require_reduced", require_reduced, "a fraction that is not in lowest terms is wrong");
    v("require_unit", require_unit, "an answer without the gold's unit is wrong");
    v("unit_conversion", unit_conversion, "1 m and 100 cm are equal");
    v("require_simplified", require_simplified,
      "an expression of a number may be at most 4 times as long as the gold");
    v("rounded_gold", rounded_gold,
      "a decimal gold is a rounded one: values that round to it are right");
    v("rel_tol", rel_tol, Range{0, 0.1},
      "relative distance from the gold that is still right, where the data set prescribes one");
    v("base_value", base_value, "a decimal number may answer for a numeral like 101_2");
    v("percent", percent, "with a percent sign on one side only, p and p/100 are both right");
  }
};

}  // namespace allot::verify
