// What is asked of /v1/completions and what its answer must look like.
//
// Everything that could make a rollout silently wrong is checked: the answer's id, model and prompt
// (an answer to another request), the number and indices of its choices, token ids, one finite
// log-probability per token, lengths, the reason why it ended. Whatever does not fit makes the
// whole answer unusable; nothing is filled in or cut off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/core/types.h"
#include "allot/remote/dialect.h"

namespace allot::remote {

// `n` responses to one prompt. The server draws response i from (seed, i), so that a repeated
// request gives the same responses.
struct CompletionRequest {
  std::vector<std::int32_t> prompt;
  std::uint64_t seed = 0;  // below 2^53: every JSON reader keeps it
  std::uint32_t n = 1, max_tokens = 0;
  float temperature = 1, top_p = 1, min_p = 0;
  int top_k = 0;                          // 0: off
  std::vector<std::int32_t> stop_tokens;  // end a response and stay in it
  std::vector<std::string> stop_texts;
  std::int32_t vocabulary = 0;  // ids of the answer are below
  Version version = 0;          // weights that are to sample it
};

// The body of the request. Every setting is written out, because a server takes what is missing
// from the model's generation_config.json.
std::string completion_body(const CompletionRequest& request, const Dialect& dialect,
                            const std::string& model, const std::string& id);

struct Completion {
  Status status = Status::Ok;  // Ok or Truncated
  std::vector<std::int32_t> tokens;
  std::vector<float> logp;  // [tokens]
};

enum class Fault : std::uint8_t {
  None,
  Unusable,     // the answer is not one to this request, or not complete
  NoTokenIds,   // it is one, but says text only
  OtherWeights  // it was sampled by another version
};

struct CompletionAnswer {
  Fault fault = Fault::None;
  std::string reason;               // of a fault, for people
  std::vector<Completion> choices;  // [n] by index
  std::uint32_t cached_prompt = 0;  // prompt tokens that the server had computed before
};

struct CompletionChecks {
  std::string id;                 // that the answer carries, with the dialect's prefix
  std::string model;              // that it names
  std::string version;            // at Dialect::answer_version; "" = not checked
  bool model_is_version = false;  // another model means other weights
};

CompletionAnswer read_completion(std::string_view body, const CompletionRequest& request,
                                 const Dialect& dialect, const CompletionChecks& checks);

// Up to 200 characters of an error answer, on one line: the message of the JSON object that servers
// send, or the text itself.
std::string error_text(std::string_view body);

}  // namespace allot::remote
