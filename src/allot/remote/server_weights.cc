#include "allot/remote/server_weights.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"

namespace allot::remote {
namespace {

using Json = nlohmann::json;

void replace_all(std::string& text, std::string_view what, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

Json at_pointer(const std::string& body, const char* pointer) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  return json.is_object() ? json.value(Json::json_pointer(pointer), Json()) : Json();
}

}  // namespace

ServerWeights::ServerWeights(const ServerOptions& options, ServerControl& control,
                             WeightPublisher& publisher, std::string run)
    : options_(options),
      dialect_(dialect_of(options.api)),
      control_(control),
      publisher_(publisher),
      run_(std::move(run)) {
  if (options.load == LoadBy::Lora && dialect_.load_lora.empty())
    throw Error(ErrorKind::Config, "rollout.server.load",
                concat("lora was given; adapters of ", dialect_.name,
                       " are not served, because its answers do not say which one was used"),
                "rollout.server.load: folder");
}

std::string ServerWeights::name(Version version) const { return concat(run_, "-v", version); }

std::string ServerWeights::publish(Version version) {
  std::string folder = publisher_.publish(version);
  const std::lock_guard lock(mutex_);
  folders_[version] = folder;
  return folder;
}

void ServerWeights::load(Version version) {
  const std::lock_guard control(control_mutex_);
  send(version);
}

void ServerWeights::restore(Version version, std::uint64_t epoch) {
  const std::lock_guard control(control_mutex_);
  if (holds(epoch)) send(version);
}

// The epoch changes before the first call, and nobody begins until the last one was answered.
void ServerWeights::send(Version version) {
  {
    const std::lock_guard lock(mutex_);
    ++epoch_;
    loading_ = true;
  }
  struct Done {
    ServerWeights& weights;
    ~Done() {
      const std::lock_guard lock(weights.mutex_);
      weights.loading_ = false;
      weights.loaded_.notify_all();
    }
  } done{*this};
  if (options_.load == LoadBy::Lora)
    send_adapter(version);
  else
    send_folder(version);
}

// The name comes first: a server that restarts anywhere between here and the end of the last call
// has forgotten it, so that what it samples then is noticed. Named afterwards, the weights it
// started with would carry the name.
void ServerWeights::send_folder(Version version) {
  if (options_.version != VersionProof::None && *dialect_.name_version.path != '\0')
    call(dialect_.name_version, version);
  for (const ServerCall& step : dialect_.load_folder) call(step, version);
}

// A repeated call may find that the first one had worked.
void ServerWeights::send_adapter(Version version) {
  try {
    for (const ServerCall& step : dialect_.load_lora) call(step, version);
  } catch (const Error&) {
    const std::vector<std::string> served = control_.models();
    if (std::find(served.begin(), served.end(), name(version)) == served.end()) throw;
  }
}

std::string ServerWeights::filled(const char* body, Version version) const {
  std::string text = body;
  const std::lock_guard lock(mutex_);
  const auto folder = folders_.find(version);
  replace_all(text, "{path}", Json(folder == folders_.end() ? "" : folder->second).dump());
  replace_all(text, "{version}", Json(name(version)).dump());
  replace_all(text, "{name}", Json(name(version)).dump());
  return text;
}

void ServerWeights::call(const ServerCall& call, Version version) {
  const HttpAnswer answer =
      control_.call("POST", call.path, filled(call.body, version), options_.load_timeout_s);
  if (verdict_of(answer) == Verdict::Missing)
    control_.fail(concat("POST ", call.path, " is not served, and it is needed to load weights (",
                         description_of(answer), ")"),
                  "docs/server.md says how the server must be started and which versions have it");
  const bool refused = *call.success != '\0' && at_pointer(answer.body, call.success) != true;
  if (verdict_of(answer) != Verdict::Good || refused)
    control_.fail(concat("POST ", call.path, " did not load version ", version, ": ",
                         description_of(answer)));
}

std::uint64_t ServerWeights::begin() {
  std::unique_lock lock(mutex_);
  loaded_.wait(lock, [&] { return !loading_; });
  return epoch_;
}

bool ServerWeights::holds(std::uint64_t epoch) const {
  const std::lock_guard lock(mutex_);
  return epoch_ == epoch;
}

CompletionChecks ServerWeights::checks(Version version) const {
  CompletionChecks checks;
  const bool lora = options_.load == LoadBy::Lora;
  checks.model = lora ? name(version) : model_;
  checks.model_is_version = lora;
  const bool said = options_.version == VersionProof::Auto && *dialect_.answer_version != '\0';
  if (!lora && said) checks.version = name(version);
  return checks;
}

bool ServerWeights::proof_by_query() const {
  if (options_.load == LoadBy::Lora) return false;
  return options_.version == VersionProof::Query ||
         (options_.version == VersionProof::Auto && *dialect_.answer_version == '\0');
}

bool ServerWeights::confirmed(Version version) {
  const std::lock_guard control(control_mutex_);
  const HttpAnswer answer = control_.call("GET", dialect_.query_path, "", options_.timeout_s);
  if (verdict_of(answer) == Verdict::Missing)
    control_.fail(concat("GET ", dialect_.query_path,
                         " is not served: the server cannot say which "
                         "weights it has; that is needed"),
                  "a newer server, or rollout.server.version: none, which trusts it");
  return at_pointer(answer.body, dialect_.query_version) == name(version);
}

void ServerWeights::retire_below(Version version) {
  std::vector<Version> old;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, folder] : folders_)
      if (known < version) old.push_back(known);
  }
  for (const Version retired : old) {
    const std::lock_guard control(control_mutex_);
    if (options_.load == LoadBy::Lora)  // one that stays loaded is forgotten when it is the oldest
      for (const ServerCall& step : dialect_.unload_lora)
        control_.call("POST", step.path, filled(step.body, retired), options_.load_timeout_s);
    publisher_.retire(retired);
    const std::lock_guard lock(mutex_);
    folders_.erase(retired);
  }
}

}  // namespace allot::remote
