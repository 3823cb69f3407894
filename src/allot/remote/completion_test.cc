#include "allot/remote/completion.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace allot::remote {
namespace {

using Json = nlohmann::json;

CompletionRequest two_of_three() {
  CompletionRequest request;
  request.prompt = {5, 6, 7};
  request.n = 2;
  request.max_tokens = 3;
  request.vocabulary = 10;
  request.seed = (std::uint64_t{1} << 53U) - 1;
  return request;
}

// An answer in the form of vLLM's documentation.
Json answer() {
  Json choice = {{"index", 0},
                 {"text", "ab"},
                 {"finish_reason", "stop"},
                 {"token_ids", {2, 3}},
                 {"prompt_token_ids", {5, 6, 7}},
                 {"logprobs", {{"tokens", {"a", "b"}}, {"token_logprobs", {-0.5, -1.25}}}}};
  Json other = choice;
  other["index"] = 1;
  other["finish_reason"] = "length";
  other["token_ids"] = {4, 5, 6};
  other["logprobs"]["token_logprobs"] = {0.0, 1e-6, -3};
  return {{"id", "cmpl-x"}, {"model", "m"}, {"choices", {choice, other}}};
}

CompletionAnswer read(const std::string& text,
                      const CompletionChecks& checks = {"cmpl-x", "m", "", false}) {
  return read_completion(text, two_of_three(), dialect_of(Api::Vllm), checks);
}

TEST(Completion, ReadsChoicesByTheirIndex) {
  Json json = answer();
  std::swap(json["choices"][0], json["choices"][1]);
  json["usage"] = {{"prompt_tokens_details", {{"cached_tokens", 2}}}};
  const CompletionAnswer got = read(json.dump());
  ASSERT_EQ(got.fault, Fault::None) << got.reason;
  ASSERT_EQ(got.choices.size(), 2u);
  EXPECT_EQ(got.choices[0].status, Status::Ok);
  EXPECT_EQ(got.choices[0].tokens, (std::vector<std::int32_t>{2, 3}));
  EXPECT_EQ(got.choices[0].logp, (std::vector<float>{-0.5F, -1.25F}));
  EXPECT_EQ(got.choices[1].status, Status::Truncated);
  EXPECT_EQ(got.choices[1].logp, (std::vector<float>{0, 0, -3}));  // rounding above 0 is cut
  EXPECT_EQ(got.cached_prompt, 2u);
}

TEST(Completion, ReadsIdsThatAreWrittenAsTokens) {
  Json json = answer();
  for (Json& choice : json["choices"]) {
    Json names = Json::array();
    for (const Json& id : choice["token_ids"]) names.push_back("token_id:" + id.dump());
    choice["logprobs"]["tokens"] = names;
    choice.erase("token_ids");
  }
  EXPECT_EQ(read(json.dump()).choices.at(1).tokens, (std::vector<std::int32_t>{4, 5, 6}));
  json["choices"][1]["logprobs"]["tokens"][0] = "a";
  EXPECT_EQ(read(json.dump()).fault, Fault::NoTokenIds);
  json["choices"][1]["logprobs"]["tokens"][0] = "token_id:10";  // beyond the vocabulary
  EXPECT_EQ(read(json.dump()).fault, Fault::Unusable);
}

TEST(Completion, RefusesEverythingThatDoesNotFit) {
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> spoils = {
      {"another request", [](Json& j) { j["id"] = "cmpl-y"; }},
      {"no id", [](Json& j) { j.erase("id"); }},
      {"another model", [](Json& j) { j["model"] = "n"; }},
      {"no choices", [](Json& j) { j.erase("choices"); }},
      {"choices of the wrong type", [](Json& j) { j["choices"] = 3; }},
      {"one choice", [](Json& j) { j["choices"].erase(1); }},
      {"a choice that is none", [](Json& j) { j["choices"][0] = nullptr; }},
      {"equal indices", [](Json& j) { j["choices"][1]["index"] = 0; }},
      {"a large index", [](Json& j) { j["choices"][1]["index"] = 2; }},
      {"an index of the wrong type", [](Json& j) { j["choices"][1]["index"] = "1"; }},
      {"another prompt",
       [](Json& j) {
         j["choices"][0]["prompt_token_ids"] = {5, 6};
       }},
      {"an abort", [](Json& j) { j["choices"][0]["finish_reason"] = "abort"; }},
      {"no end", [](Json& j) { j["choices"][0]["finish_reason"] = nullptr; }},
      {"no log-probabilities", [](Json& j) { j["choices"][0]["logprobs"] = nullptr; }},
      {"no numbers", [](Json& j) { j["choices"][0]["logprobs"].erase("token_logprobs"); }},
      {"a null", [](Json& j) { j["choices"][0]["logprobs"]["token_logprobs"][0] = nullptr; }},
      {"a text", [](Json& j) { j["choices"][0]["logprobs"]["token_logprobs"][0] = "-1"; }},
      {"too large", [](Json& j) { j["choices"][0]["logprobs"]["token_logprobs"][0] = 0.1; }},
      {"minus infinity", [](Json& j) { j["choices"][0]["logprobs"]["token_logprobs"][0] = -9999; }},
      {"out of range", [](Json& j) { j["choices"][0]["logprobs"]["token_logprobs"][0] = 1e300; }},
      {"too few numbers", [](Json& j) { j["choices"][0]["logprobs"]["token_logprobs"].erase(0); }},
      {"a negative id", [](Json& j) { j["choices"][0]["token_ids"][0] = -1; }},
      {"a fraction", [](Json& j) { j["choices"][0]["token_ids"][0] = 2.5; }},
      {"an unknown id", [](Json& j) { j["choices"][0]["token_ids"][0] = 10; }},
      {"a huge id", [](Json& j) { j["choices"][0]["token_ids"][0] = 18446744073709551615U; }},
      {"too many tokens",
       [](Json& j) {
         j["choices"][0]["token_ids"] = {1, 2, 3, 4};
         j["choices"][0]["logprobs"]["token_logprobs"] = {-1, -1, -1, -1};
       }},
      {"no tokens", [](Json& j) {
         j["choices"][0]["token_ids"] = Json::array();
         j["choices"][0]["logprobs"]["token_logprobs"] = Json::array();
       }}};
  for (const auto& [what, spoil] : spoils) {
    Json json = answer();
    spoil(json);
    const CompletionAnswer got = read(json.dump());
    EXPECT_EQ(got.fault, Fault::Unusable) << what;
    EXPECT_FALSE(got.reason.empty()) << what;
    EXPECT_TRUE(got.choices.empty()) << what;
  }
}

TEST(Completion, NoPrefixOfAnAnswerIsAnAnswer) {
  const std::string whole = answer().dump();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(read(whole.substr(0, size)).fault, Fault::Unusable) << size;
  EXPECT_EQ(read("[]").fault, Fault::Unusable);
  EXPECT_EQ(read("{\"id\":\"cmpl-x\",\"model\":\"m\",\"choices\":[NaN]}").fault, Fault::Unusable);
}

TEST(Completion, NoticesOtherWeights) {
  Json json = answer();
  json["metadata"] = {{"weight_version", "run-v3"}};
  const auto by = [&](const std::string& version) {
    return read_completion(json.dump(), two_of_three(), dialect_of(Api::Sglang),
                           {"cmpl-x", "m", version, false})
        .fault;
  };
  EXPECT_EQ(by("run-v3"), Fault::None);
  EXPECT_EQ(by("run-v4"), Fault::OtherWeights);
  json["metadata"] = nullptr;
  EXPECT_EQ(by("run-v3"), Fault::OtherWeights);
  json["metadata"] = 5;  // a pointer through something that is no object
  EXPECT_NE(by("run-v3"), Fault::None);
  EXPECT_EQ(read(answer().dump(), {"cmpl-x", "run-v3", "", true}).fault, Fault::OtherWeights);
}

TEST(Completion, WritesEverySettingOut) {
  CompletionRequest request = two_of_three();
  request.stop_tokens = {1};
  request.temperature = 0.5F;
  const Json vllm = Json::parse(completion_body(request, dialect_of(Api::Vllm), "m", "x"));
  EXPECT_EQ(vllm.at("prompt"), Json({5, 6, 7}));
  EXPECT_EQ(vllm.at("seed"), 9007199254740991);
  EXPECT_EQ(vllm.at("n"), 2);
  EXPECT_EQ(vllm.at("max_tokens"), 3);
  EXPECT_EQ(vllm.at("top_k"), -1);
  EXPECT_EQ(vllm.at("stop_token_ids"), Json({1}));
  EXPECT_EQ(vllm.at("return_token_ids"), true);
  EXPECT_FALSE(vllm.contains("stop"));
  EXPECT_FALSE(vllm.contains("rid"));
  request.top_k = 4;
  request.stop_texts = {"\n\n"};
  const Json sglang = Json::parse(completion_body(request, dialect_of(Api::Sglang), "m", "x"));
  EXPECT_EQ(sglang.at("top_k"), 4);
  EXPECT_EQ(sglang.at("stop"), Json({"\n\n"}));
  EXPECT_EQ(sglang.at("rid"), "x");
  EXPECT_EQ(sglang.at("no_stop_trim"), true);
}

TEST(Completion, ShortensErrorTexts) {
  EXPECT_EQ(error_text(R"({"error":{"message":"too long","code":400}})"), "too long");
  EXPECT_EQ(error_text(R"({"message":"a\nb"})"), "a b");
  EXPECT_EQ(error_text("plain"), "plain");
  EXPECT_EQ(error_text(""), "");
  EXPECT_EQ(error_text(std::string(1000, 'x')).size(), 200u);
  EXPECT_EQ(error_text("[1]"), "[1]");
}

}  // namespace
}  // namespace allot::remote
