// What a run says about its server: rollout.server.*.
#pragma once

#include <cstdint>
#include <string>

#include "allot/core/options.h"

namespace allot::remote {

enum class Api : std::uint8_t { Vllm, Sglang };

// How new weights reach the server (remote/dialect.h).
enum class LoadBy : std::uint8_t { Folder, Lora };

// What the server's log-probabilities are of: the model's own distribution (temperature 1), or the
// one that it samples from.
enum class LogprobMode : std::uint8_t { Raw, Processed };

// How an answer proves by which weights it was sampled.
enum class VersionProof : std::uint8_t {
  Auto,   // the strongest that the dialect has
  Query,  // the server is asked after the answers have arrived
  None    // nothing: the server is trusted to keep what it loaded
};

struct ServerOptions {
  std::string url = "http://127.0.0.1:8000";
  std::string model;
  Api api = Api::Vllm;
  std::string api_key_file;
  int in_flight = 64;
  int choices = 1;
  LogprobMode logprobs = LogprobMode::Raw;
  LoadBy load = LoadBy::Folder;
  VersionProof version = VersionProof::Auto;
  std::string publish, publish_as;
  double wait_s = 0, connect_timeout_s = 10, timeout_s = 600, load_timeout_s = 600;
  int retries = 8;
  double backoff_s = 0.5, backoff_max_s = 30;
  int give_up = 16;

  template <class V>
  void fields(V& v);
  // Rules that concern the text of single keys. Throws Error(Config).
  void validate() const;
};

template <class V>
void ServerOptions::fields(V& v) {
  v("url", url, "address, http or https; a path before /v1 is kept");
  v("model", model, "name under which the server serves the model; \"\" = the only one it lists");
  v("api", api, Choices<Api>{{"vllm", Api::Vllm}, {"sglang", Api::Sglang}},
    "what the server is: how it is asked for token ids and told to load weights");
  v("api_key_file", api_key_file,
    "file whose first line is the key sent as bearer token; \"\" = none. The key itself is no "
    "setting, because settings are written into the run folder");
  v("in_flight", in_flight, Range{1, 4096}, "requests that wait for their answer at a time");
  v("choices", choices, Range{1, 1024},
    "responses per request. 1: the text of a rollout does not depend on how many were asked for "
    "together, and the server's prefix cache computes the prompt once. More: fewer requests, all "
    "repeated when one response is unusable");
  v("logprobs", logprobs,
    Choices<LogprobMode>{{"raw", LogprobMode::Raw}, {"processed", LogprobMode::Processed}},
    "what the server's log-probabilities are of (vLLM: --logprobs-mode raw_logprobs or "
    "processed_logprobs): raw fits temperature 1 only, processed fits no top_p, top_k, min_p");
  v("load", load, Choices<LoadBy>{{"folder", LoadBy::Folder}, {"lora", LoadBy::Lora}},
    "new weights are published as a whole model, or as a LoRA adapter");
  v("version", version,
    Choices<VersionProof>{
        {"auto", VersionProof::Auto}, {"query", VersionProof::Query}, {"none", VersionProof::None}},
    "how it is checked which weights sampled an answer: auto = by what the answer says where the "
    "server does, else by asking the server; none = not at all");
  v("publish", publish,
    "folder the weights are written to, always the same; \"\" = published/ in train.output");
  v("publish_as", publish_as,
    "the same folder as the server sees it, where its file system differs; \"\" = the same path");
  v("wait_s", wait_s, Range{0, 86400}, "how long to wait at the start for a server to come up");
  v("connect_timeout_s", connect_timeout_s, Range{0.001, 3600}, "longest time to connect");
  v("timeout_s", timeout_s, Range{0.001, 86400},
    "longest time from sending a request to the end of its answer");
  v("load_timeout_s", load_timeout_s, Range{0.001, 86400}, "the same for loading weights");
  v("retries", retries, Range{0, 1000},
    "repetitions of a request after which its rollouts count as failed");
  v("backoff_s", backoff_s, Range{0, 3600},
    "pause before the first repetition; doubles with every further one");
  v("backoff_max_s", backoff_max_s, Range{0, 86400}, "longest such pause");
  v("give_up", give_up, Range{1, 1e9},
    "failed requests in a row, none answered in between, after which the run ends with exit code "
    "5");
}

}  // namespace allot::remote
