#include "allot/remote/server_control.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/joined.h"

namespace allot::remote {
namespace {

using Json = nlohmann::json;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t kLongestAnswer = std::size_t{64} << 20;
constexpr double kLookTimeout = 30;

constexpr const char* kNotAServer =
    "rollout.server.url must be the address of an OpenAI-compatible server";

}  // namespace

ServerControl::ServerControl(const ServerOptions& options, const std::string& api_key, Watch& watch,
                             std::function<bool()> stopped)
    : options_(options),
      watch_(watch),
      stopped_(std::move(stopped)),
      channel_(parse_server_url(options.url), api_key, options.connect_timeout_s) {}

void ServerControl::fail(const std::string& what, const std::string& hint) const {
  throw Error(ErrorKind::Sampler, options_.url, what, hint);
}

void ServerControl::pause(double seconds) const {
  const auto end = std::chrono::steady_clock::now() + Seconds(seconds);
  while (!stopped_() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::min(Seconds(0.02), Seconds(seconds)));
}

HttpAnswer ServerControl::once(const HttpRequest& request) {
  if (stopped_()) fail("the run is being stopped");
  const std::uint64_t exchange = watch_.begin(channel_, request.timeout_s, stopped_);
  HttpAnswer answer = channel_.send(request);
  if (watch_.end(exchange) == Watch::Ending::TimedOut && answer.end != HttpEnd::Answered)
    answer.what = concat("no complete answer within ", request.timeout_s, " s");
  return answer;
}

HttpAnswer ServerControl::call(const std::string& method, const std::string& path,
                               const std::string& body, double timeout_s) {
  HttpRequest request;
  request.method = method;
  request.path = path;
  request.body = body;
  request.timeout_s = timeout_s;
  request.max_bytes = kLongestAnswer;
  HttpAnswer answer = once(request);
  const auto retries = static_cast<std::uint32_t>(options_.retries);
  for (std::uint32_t i = 1; i <= retries && verdict_of(answer) == Verdict::Repeat; ++i) {
    pause(pause_before(i, answer.retry_after_s, 0, options_));
    answer = once(request);
  }
  if (verdict_of(answer) == Verdict::Denied)
    fail(concat("the server denies access (", description_of(answer), "); the right key is needed"),
         "rollout.server.api_key_file names a file with the key");
  if (answer.end != HttpEnd::Answered)
    fail(concat(method, " ", path, ": ", answer.what, "; an answer is needed"));
  return answer;
}

void ServerControl::await(const std::string& start_line) {
  HttpRequest request;
  request.path = "/v1/models";
  request.timeout_s = kLookTimeout;
  request.max_bytes = kLongestAnswer;
  constexpr double kBetweenLooks = 1;
  const auto end = std::chrono::steady_clock::now() + Seconds(options_.wait_s);
  HttpAnswer answer = once(request);
  while (verdict_of(answer) == Verdict::Repeat && std::chrono::steady_clock::now() < end) {
    pause(std::min(kBetweenLooks, options_.wait_s));
    answer = once(request);
  }
  if (answer.end == HttpEnd::Answered) return;
  fail(concat(answer.what, "; a server that answers GET /v1/models is needed"),
       concat("start one, for example: ", start_line,
              "; rollout.server.wait_s lets the run wait for it"));
}

std::vector<std::string> ServerControl::models() {
  std::vector<std::string> names;
  const Json json = Json::parse(call("GET", "/v1/models", "", kLookTimeout).body, nullptr, false);
  if (json.is_object() && json.contains("data") && json["data"].is_array())
    for (const Json& model : json["data"])
      if (model.is_object() && model.contains("id") && model["id"].is_string())
        names.push_back(model["id"]);
  return names;
}

ServerFacts ServerControl::look(const std::string& start_line) {
  await(start_line);
  const HttpAnswer answer = call("GET", "/v1/models", "", kLookTimeout);
  if (verdict_of(answer) != Verdict::Good)
    fail(concat("GET /v1/models: ", description_of(answer), "; a list of models is needed"),
         kNotAServer);
  const Json json = Json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("data") || !json["data"].is_array())
    fail("GET /v1/models was not answered by a list of models", kNotAServer);
  const std::vector<std::string> names = models();
  if (options_.model.empty() && names.size() != 1)
    fail(concat("the server has ", names.size(), " models (", joined(names),
                "), and rollout.server.model is not set; one is needed"));
  const std::string wanted = options_.model.empty() ? names.front() : options_.model;
  for (const Json& model : json["data"]) {
    if (!model.is_object() || model.value("id", Json()) != wanted) continue;
    const Json context = model.value("max_model_len", Json());
    return {wanted, context.is_number_integer() ? context.get<std::int64_t>() : 0};
  }
  fail(concat("the server has no model '", wanted, "'; it has: ", joined(names)),
       "rollout.server.model is the name that the server serves it under");
}

}  // namespace allot::remote
