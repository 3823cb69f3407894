#include "allot/remote/completion.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot::remote {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kTokenId = "token_id:";
// Servers write minus infinity as -9999; a token of probability 0 cannot have been sampled.
constexpr double kLowestLogp = -9000;
// Above 0 only by the rounding of a log-softmax in single precision.
constexpr double kHighestLogp = 1e-3;

// Leaves read_completion() from any depth.
struct Refusal {
  Fault fault;
  std::string reason;
};

[[noreturn]] void refuse(std::string reason, Fault fault = Fault::Unusable) {
  throw Refusal{fault, std::move(reason)};
}

const Json& member(const Json& object, const char* name) {
  static const Json null;
  if (!object.is_object()) refuse(concat("where '", name, "' belongs there is no JSON object"));
  const auto found = object.find(name);
  return found == object.end() ? null : *found;
}

// A whole number in [0, end), or nothing.
std::optional<std::int32_t> id_in(const Json& value, std::int64_t end) {
  if (!value.is_number_integer()) return {};
  const auto number = value.get<std::int64_t>();
  if (number < 0 || number >= end) return {};
  return static_cast<std::int32_t>(number);
}

std::vector<std::int32_t> ids_of(const Json& list, const char* what, std::int64_t end) {
  std::vector<std::int32_t> ids;
  for (const Json& value : list) {
    const auto id = id_in(value, end);
    if (!id) refuse(concat(what, " has ", value.dump(), "; ids of 0 .. ", end - 1, " are needed"));
    ids.push_back(*id);
  }
  return ids;
}

// The ids of logprobs.tokens: "token_id:17", as vLLM writes them on request.
std::vector<std::int32_t> ids_of_names(const Json& names, std::int64_t end) {
  std::vector<std::int32_t> ids;
  for (const Json& name : names) {
    const std::string text = name.is_string() ? name.get<std::string>() : "";
    std::int64_t id = -1;
    const char* last = text.data() + text.size();
    if (!text.starts_with(kTokenId)) refuse("the answer has no token ids", Fault::NoTokenIds);
    const auto [stop, error] = std::from_chars(text.data() + kTokenId.size(), last, id);
    if (error != std::errc() || stop != last || id < 0 || id >= end)
      refuse(concat("'", text, "' was given as a token; ids of 0 .. ", end - 1, " are needed"));
    ids.push_back(static_cast<std::int32_t>(id));
  }
  return ids;
}

std::vector<float> logprobs_of(const Json& list) {
  std::vector<float> logp;
  for (const Json& value : list) {
    const double number =
        value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (!(number > kLowestLogp && number <= kHighestLogp))
      refuse(concat("token ", logp.size(), " has the log-probability ", value.dump(),
                    "; a finite number of at most 0 is needed"));
    logp.push_back(static_cast<float>(std::min(number, 0.0)));
  }
  return logp;
}

Status status_of(const Json& reason) {
  if (reason == "stop") return Status::Ok;
  if (reason == "length") return Status::Truncated;
  refuse(concat("finish_reason is ", reason.dump(), "; \"stop\" or \"length\" is needed"));
}

Completion completion_of(const Json& choice, const CompletionRequest& request) {
  Completion completion;
  completion.status = status_of(member(choice, "finish_reason"));
  const Json& echoed = member(choice, "prompt_token_ids");
  if (echoed.is_array() && ids_of(echoed, "prompt_token_ids",
                                  std::numeric_limits<std::int32_t>::max()) != request.prompt)
    refuse("the answer belongs to another prompt, or the server changed it");
  const Json& logprobs = member(choice, "logprobs");
  if (!logprobs.is_object()) refuse("the answer has no log-probabilities");
  const Json &ids = member(choice, "token_ids"), &names = member(logprobs, "tokens"),
             &numbers = member(logprobs, "token_logprobs");
  if (!numbers.is_array()) refuse("the answer has no log-probabilities");
  if (ids.is_array())
    completion.tokens = ids_of(ids, "token_ids", request.vocabulary);
  else if (names.is_array())
    completion.tokens = ids_of_names(names, request.vocabulary);
  else
    refuse("the answer has no token ids", Fault::NoTokenIds);
  completion.logp = logprobs_of(numbers);
  if (completion.tokens.size() != completion.logp.size())
    refuse(concat("the answer has ", completion.tokens.size(), " tokens and ",
                  completion.logp.size(), " log-probabilities"));
  if (completion.tokens.empty() || completion.tokens.size() > request.max_tokens)
    refuse(concat("the answer has ", completion.tokens.size(), " tokens; 1 .. ", request.max_tokens,
                  " were asked for"));
  return completion;
}

std::string text_at(const Json& json, const char* pointer) {
  const Json value = json.value(Json::json_pointer(pointer), Json());
  return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

void check_identity(const Json& json, const Dialect& dialect, const CompletionChecks& checks) {
  if (!json.is_object() || !member(json, "choices").is_array())
    refuse("the answer is not a JSON object with choices");
  if (!checks.id.empty() && member(json, "id") != checks.id)
    refuse("the answer belongs to another request");
  const Json& model = member(json, "model");
  if (model != checks.model)
    refuse(concat("the answer is of model ", model.dump(), "; '", checks.model, "' was asked"),
           checks.model_is_version ? Fault::OtherWeights : Fault::Unusable);
  if (checks.version.empty()) return;
  const std::string version = text_at(json, dialect.answer_version);
  if (version != checks.version)
    refuse(concat("the answer was sampled by the weights '", version, "'; '", checks.version,
                  "' are in force"),
           Fault::OtherWeights);
}

CompletionAnswer read(std::string_view body, const CompletionRequest& request,
                      const Dialect& dialect, const CompletionChecks& checks) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) refuse("the answer is not JSON, or ends in the middle");
  check_identity(json, dialect, checks);
  const Json& choices = member(json, "choices");
  if (choices.size() != request.n)
    refuse(concat("the answer has ", choices.size(), " choices; ", request.n, " were asked for"));
  CompletionAnswer answer;
  answer.choices.resize(request.n);
  std::vector<bool> seen(request.n, false);
  for (const Json& choice : choices) {
    const auto index = id_in(member(choice, "index"), request.n);
    if (!index || seen[static_cast<std::size_t>(*index)])
      refuse(concat("a choice has the index ", member(choice, "index").dump(), "; each of 0 .. ",
                    request.n - 1, " is needed once"));
    seen[static_cast<std::size_t>(*index)] = true;
    answer.choices[static_cast<std::size_t>(*index)] = completion_of(choice, request);
  }
  const Json cached =
      json.value(Json::json_pointer("/usage/prompt_tokens_details/cached_tokens"), Json());
  const auto prompt = static_cast<std::int64_t>(request.prompt.size());
  answer.cached_prompt = static_cast<std::uint32_t>(id_in(cached, prompt + 1).value_or(0));
  return answer;
}

}  // namespace

std::string completion_body(const CompletionRequest& request, const Dialect& dialect,
                            const std::string& model, const std::string& id) {
  Json body = Json::parse(dialect.more_fields);
  body["model"] = model;
  body["prompt"] = request.prompt;
  body["n"] = request.n;
  body["seed"] = request.seed;
  body["max_tokens"] = request.max_tokens;
  body["temperature"] = request.temperature;
  body["top_p"] = request.top_p;
  body["top_k"] = request.top_k > 0 ? request.top_k : -1;
  body["min_p"] = request.min_p;
  body["repetition_penalty"] = 1;
  body["presence_penalty"] = 0;
  body["frequency_penalty"] = 0;
  body["stop_token_ids"] = request.stop_tokens;
  if (!request.stop_texts.empty()) body["stop"] = request.stop_texts;
  body["logprobs"] = 0;  // of the sampled token, no others
  body["return_token_ids"] = true;
  body["stream"] = false;
  if (*dialect.id_field != '\0') body[dialect.id_field] = id;
  return body.dump();
}

CompletionAnswer read_completion(std::string_view body, const CompletionRequest& request,
                                 const Dialect& dialect, const CompletionChecks& checks) {
  try {
    return read(body, request, dialect, checks);
  } catch (Refusal& refusal) {
    return {refusal.fault, std::move(refusal.reason), {}, 0};
  } catch (const Json::exception& broken) {  // a pointer through something that is no object
    return {Fault::Unusable, concat("the answer cannot be read: ", broken.what()), {}, 0};
  }
}

std::string error_text(std::string_view body) {
  constexpr std::size_t kLongest = 200;
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  std::string text(body);
  for (const char* place : {"/error/message", "/message", "/detail"}) {
    if (!json.is_structured()) break;
    const Json::json_pointer pointer(place);
    if (json.contains(pointer) && json.at(pointer).is_string()) {
      text = json.at(pointer).get<std::string>();
      break;
    }
  }
  text = text.substr(0, kLongest);
  const bool cut = text.size() == kLongest;
  while (cut && !text.empty() && static_cast<signed char>(text.back()) < 0) text.pop_back();
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

}  // namespace allot::remote
