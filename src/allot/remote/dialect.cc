#include "allot/remote/dialect.h"

namespace allot::remote {

const Dialect& dialect_of(Api api) {
  static const Dialect vllm = {
      .name = "vLLM",
      .id_header = "X-Request-Id",
      .id_field = "",
      .id_prefix = "cmpl-",
      .more_fields = R"({"return_tokens_as_token_ids":true,"skip_special_tokens":false})",
      // The cache of prompts is keyed by their tokens, not by the weights that computed them.
      .load_folder = {{"/collective_rpc", R"({"method":"reload_weights"})"},
                      {"/reset_prefix_cache", ""}},
      .name_version = {"/update_weight_version", R"({"new_version":{version}})"},
      .load_lora = {{"/v1/load_lora_adapter", R"({"lora_name":{name},"lora_path":{path}})"}},
      .unload_lora = {{"/v1/unload_lora_adapter", R"({"lora_name":{name}})"}},
      .answer_version = "",
      .query_path = "/weight_info",
      .query_version = "/weight_version",
      .start_line =
          "VLLM_SERVER_DEV_MODE=1 vllm serve {path} --served-model-name {name} "
          "--generation-config vllm"};
  static const Dialect sglang = {
      .name = "SGLang",
      .id_header = "",
      .id_field = "rid",
      .id_prefix = "",
      // Without no_stop_trim the token that ended the response would be missing.
      .more_fields = R"({"no_stop_trim":true,"skip_special_tokens":false})",
      .load_folder = {{"/update_weights_from_disk",
                       R"({"model_path":{path},"weight_version":{version},"flush_cache":true})",
                       "/success"}},
      .name_version = {"", ""},
      .load_lora = {},
      .unload_lora = {},
      .answer_version = "/metadata/weight_version",
      .query_path = "/model_info",
      .query_version = "/weight_version",
      .start_line =
          "python -m sglang.launch_server --model-path {path} --served-model-name {name}"};
  return api == Api::Sglang ? sglang : vllm;
}

}  // namespace allot::remote
