#include "allot/app/sample_file.h"

#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot {
namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& object) {
  return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

const char* verdict_of(const Score& score) {
  if (score.scoring == Scoring::VerifierError) return "error";
  if (score.scoring != Scoring::Scored) return "not_scorable";
  if (score.correct) return "correct";
  return score.parsed ? "wrong" : "no_answer";
}

}  // namespace

SampleFile::SampleFile(const std::string& path) : path_(path), out_(path, std::ios::binary) {
  out_ << line_of({{"format", "allot.samples"}, {"version", 1}});
  if (!out_)
    throw Error(ErrorKind::Config, "--samples",
                concat("'", path, "' cannot be written; a file in a writable folder is needed"));
}

void SampleFile::add(const std::string& set, const Prompt& prompt, const Rollout& rollout,
                     std::span<const Score> scores) {
  const Score& score = scores.front();
  const bool is_scored = score.scoring == Scoring::Scored;
  out_ << line_of({{"set", set},
                   {"prompt_key", prompt.key},
                   {"seq", rollout.seq},
                   {"prompt", prompt.text},
                   {"completion", rollout.text},
                   {"reference", prompt.answer},
                   {"answer", score.answer},
                   {"verdict", verdict_of(score)},
                   {"flexible", scores.size() > 1 ? Json(verdict_of(scores[1])) : Json()},
                   {"reason", score.reason},
                   {"reward", is_scored ? Json(score.reward) : Json()},
                   {"truncated", rollout.status == Status::Truncated},
                   {"completion_ids", rollout.tokens}});
}

void SampleFile::close() {
  out_.close();
  if (!out_)
    throw Error(ErrorKind::Config, "--samples",
                concat("'", path_, "' could not be written to its end"));
}

}  // namespace allot
