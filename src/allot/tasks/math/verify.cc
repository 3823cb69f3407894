#include "allot/tasks/math/verify.h"

#include <algorithm>
#include <exception>
#include <optional>

#include "allot/tasks/math/answer.h"
#include "allot/tasks/math/canonical.h"
#include "allot/tasks/math/compare.h"
#include "allot/tasks/math/extract.h"
#include "allot/tasks/math/normalise.h"
#include "allot/tasks/math/short_answers.h"

namespace allot::verify {

struct Gold::Reading {
  explicit Reading(Work& work) : arena(work) {}

  Arena arena;
  Answer answer;
  std::string text;     // as it stands
  std::string spelled;  // its tokens
  std::optional<PlainNumber> number;
  char choice = 0;  // 'A' .. 'J'
};

namespace {

std::string joined(const std::vector<std::string_view>& parts) {
  std::string all;
  for (const std::string_view part : parts) {
    if (!all.empty()) all += ", ";
    all += trimmed_candidate(part);
  }
  return all;
}

// Values that do not exist cannot be answers.
void refuse_undefined(const Answer& answer, Work& work) {
  for (const Answer& item : answer.items) refuse_undefined(item, work);
  if (answer.kind != AnswerKind::Expression || answer.arena == nullptr) return;
  const Tree tree = answer.tree();
  const bool infinite = tree.node().op == Op::Infinity ||
                        (tree.node().op == Op::Negate && tree.kid(0).node().op == Op::Infinity);
  if (infinite || contains(tree, Op::PlusMinus) || contains(tree, Op::MinusPlus)) return;
  Algebra algebra(work);
  Canonical(algebra, {true, {}}).of(tree);
}

// Three letters in a row that are no command.
bool has_word(std::string_view text) {
  std::size_t run = 0;
  bool command = false;
  for (const char c : text) {
    if (c == '\\') command = true;
    run = is_letter(c) && !command ? run + 1 : 0;
    if (run == 3) return true;
    if (c != '\\' && !is_letter(c)) command = false;
  }
  return false;
}

bool has_text(const Answer& answer) {
  return answer.kind == AnswerKind::Text ||
         std::any_of(answer.items.begin(), answer.items.end(), has_text);
}

// A gold that is no mathematics is compared as text, if it has words.
Answer as_text(const std::string& latex) {
  Answer answer;
  answer.kind = AnswerKind::Text;
  answer.text = latex;
  return answer;
}

}  // namespace

VerdictStatus Gold::status() const {
  return accepted_.empty() ? VerdictStatus::GoldError : VerdictStatus::Correct;
}

Gold prepare(std::string_view gold, const MathOptions& options) {
  return prepare(std::span(&gold, 1), options);
}

Gold prepare(std::span<const std::string_view> golds, const MathOptions& options) {
  Gold out;
  for (const std::string_view gold : golds) {
    Work work;
    try {
      auto reading = std::make_shared<Gold::Reading>(work);
      std::string storage;
      reading->text = joined(gold_parts(repaired(gold, storage), work));
      if (reading->text.empty()) {
        out.problem_ = "the gold is empty";
        continue;
      }
      if (reading->text.size() > kCandidateBytes) throw LimitReached{};
      reading->choice = choice_of(reading->text, ChoiceSide::Gold);
      if (options.preset == Preset::Choice && reading->choice == 0) throw Unreadable{};
      const std::string latex = in_latex(reading->text);
      try {
        reading->answer = parse_answer(latex, reading->arena, work, reading->spelled);
        refuse_undefined(reading->answer, work);
      } catch (const Unreadable&) {
        if (!has_word(latex)) throw;
        reading->answer = as_text(latex);
      }
      const Answer& answer = reading->answer;
      if (answer.kind == AnswerKind::Expression && answer.unit.empty() && !answer.percent)
        reading->number = plain_number(reading->text);
      if (options.preset == Preset::Dapo && !reading->number) throw Unreadable{};
      out.accepted_.push_back(std::move(reading));
    } catch (const Unreadable&) {
      out.problem_ = "the gold cannot be read";
    } catch (const Undefined&) {
      out.problem_ = "the gold has no value";
    } catch (const LimitReached&) {
      out.problem_ = "the gold is beyond a limit";
    } catch (const std::exception& error) {
      out.problem_ = error.what();
    }
  }
  if (!out.accepted_.empty()) out.problem_.clear();
  return out;
}

// One answer against all accepted golds.
class Judge {
 public:
  Judge(const Gold& gold, const MathOptions& options, Work& work)
      : gold_(gold), options_(options), work_(work) {
    if (options.preset == Preset::Science) options_.rounded_gold = true;
  }

  Verdict judge(const std::string& answer) {
    verdict_ = {};
    verdict_.extracted = answer;
    if (answer.empty()) return verdict_;
    if (answer.size() > kCandidateBytes) return with(VerdictStatus::Unparseable);
    for (const auto& reading : gold_.accepted_)
      if (quick(*reading, answer)) return verdict_;
    if (options_.preset == Preset::Choice) return with(VerdictStatus::Unparseable);
    if (options_.preset == Preset::Dapo && !is_whole_number(answer))
      return with(VerdictStatus::Unparseable);
    return judge_read(answer);
  }

  // True if the answer can be read as mathematics, or as words where the gold is words.
  bool readable(const std::string& answer) {
    if (answer.size() > kCandidateBytes) return false;
    const bool words =
        std::any_of(gold_.accepted_.begin(), gold_.accepted_.end(), [&](const auto& reading) {
          if (reading->choice != 0 && choice_of(answer, ChoiceSide::Given) != 0) return true;
          return reading->answer.kind == AnswerKind::Text;
        });
    if (words || plain_number(answer)) return true;
    try {
      Arena arena(work_);
      std::string spelled;
      return !has_text(parse_answer(in_latex(answer), arena, work_, spelled));
    } catch (const Unreadable&) {
      return false;
    }
  }

 private:
  Verdict with(VerdictStatus status) {
    verdict_.status = status;
    return verdict_;
  }
  bool decided(bool correct, Tier tier) {
    verdict_.status = correct ? VerdictStatus::Correct : VerdictStatus::Wrong;
    verdict_.tier = tier;
    return true;
  }

  // What needs no parsing: the same text, plain numbers, letters of choices. Only `correct`, and
  // with one gold `wrong`, is decided here.
  bool quick(const Gold::Reading& reading, const std::string& answer) {
    const bool only = gold_.accepted_.size() == 1;
    if (answer == reading.text) return decided(true, Tier::T0);
    if (reading.choice != 0) {
      const char given = choice_of(answer, ChoiceSide::Given);
      if (given == reading.choice) return decided(true, Tier::T5);
      if (given != 0 && only) return decided(false, Tier::T5);
      return false;
    }
    if (!reading.number || options_.preset == Preset::Exact) return false;
    const std::optional<PlainNumber> number = plain_number(answer);
    if (!number) return false;
    if (*number == *reading.number) return decided(true, Tier::T1);
    const bool exact = number->decimals == 0 && reading.number->decimals == 0;
    if (exact && only && options_.rel_tol == 0) return decided(false, Tier::T1);
    return false;
  }

  Verdict judge_read(const std::string& answer) {
    const std::string latex = in_latex(answer);
    Arena arena(work_);
    std::string spelled;
    Answer given;
    bool readable = true;
    try {
      given = parse_answer(latex, arena, work_, spelled);
    } catch (const Unreadable&) {
      readable = false;
    }
    bool undecided = false, compared = false;
    for (const auto& reading : gold_.accepted_) {
      const bool same = !spelled.empty() && spelled == reading->spelled;
      if (same) {
        decided(true, Tier::T0);
        return verdict_;
      }
      if (options_.preset == Preset::Exact) {
        compared = true;
        continue;
      }
      const Decision decision = compare(*reading, given, readable, latex);
      if (decision.equal()) {
        decided(true, decision.tier);
        verdict_.flags |= decision.flags;
        return verdict_;
      }
      const bool unknown = decision.value == Decision::Value::Unknown;
      undecided |= readable && unknown;
      compared |= readable || !unknown;
      verdict_.tier = std::max(verdict_.tier, decision.tier);
    }
    if (!readable && !compared) return with(VerdictStatus::Unparseable);
    if (undecided && work_.left_symbolic()) return with(VerdictStatus::Limit);
    if (undecided) verdict_.flags |= kUndecided;
    return with(VerdictStatus::Wrong);
  }

  Decision compare(const Gold::Reading& reading, const Answer& given, bool readable,
                   const std::string& latex) {
    if (same_words(reading.text, verdict_.extracted)) return {Decision::Value::Equal, Tier::T5, 0};
    if (readable) return Comparison(options_, work_).compare(reading.answer, given);
    if (reading.answer.kind != AnswerKind::Text) return {};
    const bool equal = folded(reading.answer.text) == folded(latex);
    return {equal ? Decision::Value::Equal : Decision::Value::Unknown, Tier::T5, 0};
  }

  const Gold& gold_;
  MathOptions options_;
  Work& work_;
  Verdict verdict_;
};

namespace {

// Runs a verdict and turns what it throws into a status.
template <class Run>
Verdict guarded(const Gold& gold, Work& work, Run run) {
  Verdict verdict;
  if (gold.status() != VerdictStatus::Correct) {
    verdict.status = VerdictStatus::GoldError;
    return verdict;
  }
  try {
    verdict = run();
  } catch (const LimitReached&) {
    verdict.status = VerdictStatus::Limit;
  } catch (...) {
    verdict.status = VerdictStatus::Fault;
  }
  verdict.steps = static_cast<std::uint32_t>(work.used());
  return verdict;
}

std::string without_spaces(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (!is_space(c)) out += c;
  return out;
}

Verdict verify_text(const Gold& gold, std::string_view text, const MathOptions& options,
                    Work& work) {
  bool cut = false;
  text = without_reasoning(text, options, cut);
  if (cut) return {};
  Judge judge(gold, options, work);
  Candidate found = find_candidate(text, options, work);
  const bool unreadable_whole = found.rung == Rung::Whole && !judge.readable(joined(found.parts));
  if (unreadable_whole) found = {};
  if (found.rung == Rung::None && options.profile == Profile::Flexible &&
      options.gate == Gate::None)
    found = find_flexible(text);
  if (found.rung == Rung::None) return {};
  Verdict verdict = judge.judge(joined(found.parts));
  if (found.empty_box) verdict.flags |= kEmptyBox;
  for (const std::string_view part : found.earlier) {
    if (without_spaces(part) == without_spaces(found.parts.back())) continue;
    verdict.flags |= kConflict;
    if (options.boxes == Boxes::AllEqual && verdict.correct() &&
        !judge.judge(joined({part})).correct())
      verdict.status = VerdictStatus::Wrong;
  }
  return verdict;
}

}  // namespace

Verdict verify(const Gold& gold, std::string_view response, const MathOptions& options) {
  Work work;
  return guarded(gold, work, [&] {
    if (response.size() > kWholeText) response.remove_prefix(response.size() - kTailOfLongText);
    std::string storage;
    return verify_text(gold, repaired(response, storage), options, work);
  });
}

Verdict equivalent(const Gold& gold, std::string_view answer, const MathOptions& options) {
  Work work;
  return guarded(gold, work, [&] {
    std::string storage;
    const std::string_view text =
        answer.size() > kCandidateBytes ? answer : repaired(answer, storage);
    return Judge(gold, options, work).judge(std::string(trimmed_candidate(text)));
  });
}

}  // namespace allot::verify
