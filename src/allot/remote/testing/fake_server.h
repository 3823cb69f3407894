// A server for tests: speaks what vLLM and SGLang speak, samples from nothing but
// (seed, index, prompt, weights), and misbehaves on purpose.
//
// Weights are a number that is read from the published folder. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "allot/core/random.h"
#include "allot/remote/server_options.h"

namespace allot::remote::testing {

enum class Trick : std::uint8_t {
  Drop,         // closes the connection without a byte
  NoBody,       // closes it after the headers
  HalfBody,     // closes it in the middle of the body
  HalfJson,     // half of the JSON as a complete answer
  Twice,        // sends the answer twice; the next request on the connection finds the second one
  Stale,        // answers with another request's answer
  OtherPrompt,  // answers as if another prompt had been sent
  FewerChoices,
  MoreChoices,
  DoubleIndex,
  Nan,  // a log-probability that is not a number
  NullLogprob,
  HugeLogprob,  // a log-probability above 0
  NoLogprobs,
  FewerLogprobs,
  UnknownToken,
  TooLong,       // more tokens than asked for
  Aborted,       // finish_reason "abort"
  OtherVersion,  // says that other weights sampled it (not of vLLM with folders)
  Forget,        // restarts before it answers: weights, adapters and version are gone
  TooMany,       // 429 with Retry-After
  Failure,       // 500
  Unavailable,   // 503
  Page,          // 200 with HTML
  Delay,         // answers late, but in time
  Drip,          // sends the answer in small pieces
  Stall          // does not answer in time
};
std::vector<Trick> all_tricks();
const char* name(Trick trick);

struct FakeRequest {
  std::vector<std::int32_t> prompt;
  std::uint32_t max_tokens = 0;
  std::uint64_t weights = 0;
};

struct FakeOptions {
  Api api = Api::Vllm;
  std::string model = "toy", key;
  std::int64_t context = 64;
  std::int32_t vocabulary = 32, end_token = 1;
  bool token_ids = true, weight_info = true;
  std::string folder;  // that it was started with
  // The number of the weights in a folder; default: the number in the file "weights".
  std::function<std::uint64_t(const std::string& folder)> read_weights;
  // The response; default: random tokens of random length.
  std::function<std::vector<std::int32_t>(const FakeRequest&, RandomStream&)> respond;
  double share = 0;  // of requests that one of `tricks` is played on
  std::vector<Trick> tricks;
  double delay_s = 0.01, stall_s = 5;
  std::uint64_t seed = 0;  // of the tricks
  int threads = 96;        // connections at a time; more than the client makes, which keeps them
};

class FakeServer {
 public:
  explicit FakeServer(FakeOptions options);
  ~FakeServer();

  std::string url() const;
  void restart();  // as Trick::Forget
  void set_share(double share);
  void set_tricks(std::vector<Trick> tricks);

  std::uint64_t completions() const;   // requests for completions
  std::uint64_t played(Trick) const;   // tricks so far
  std::uint64_t loads() const;         // of weights
  std::size_t most_at_a_time() const;  // completions at the same time
  std::vector<std::string> adapters() const;
  std::string last_body() const;  // of a completion request

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// What the server answers to (seed, index, prompt, weights): for comparison.
std::vector<std::int32_t> fake_response(const FakeOptions& options, const FakeRequest& request,
                                        std::uint64_t seed, std::uint32_t index);
float fake_logprob(std::int32_t token);

}  // namespace allot::remote::testing
