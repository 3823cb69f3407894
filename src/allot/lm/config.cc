// Shape checks. config.json: config_json.cc.
#include "allot/lm/config.h"

#include <cmath>

#include "allot/core/error.h"

namespace allot::lm {
namespace {

void require(bool holds, const char* field, long long value, const char* needed) {
  if (!holds) {
    throw Error(ErrorKind::Config, concat("model.", field), concat(value, " was given; ", needed));
  }
}

}  // namespace

void ModelConfig::validate() const {
  constexpr int most = 1 << 20;
  require(vocab >= 1 && vocab <= 16 * most, "vocab", vocab, "1 to 16777216 is needed");
  require(dim >= 1 && dim <= most, "dim", dim, "1 to 1048576 is needed");
  require(layers >= 1 && layers <= 4096, "layers", layers, "1 to 4096 is needed");
  require(heads >= 1 && heads <= 4096, "heads", heads, "1 to 4096 is needed");
  require(kv_heads >= 1 && kv_heads <= heads && heads % kv_heads == 0, "kv_heads", kv_heads,
          "a divisor of heads is needed");
  require(head_dim >= 2 && head_dim <= 4096 && head_dim % 2 == 0, "head_dim", head_dim,
          "an even number from 2 to 4096 is needed");
  require(ffn >= 1 && ffn <= most, "ffn", ffn, "1 to 1048576 is needed");
  require(context >= 1 && context <= 16 * most, "context", context, "1 to 16777216 is needed");
  if (!(rope_theta > 0) || !std::isfinite(rope_theta)) {
    throw Error(ErrorKind::Config, "model.rope_theta",
                concat(rope_theta, " was given; a positive number is needed"));
  }
  if (!(norm_eps > 0) || !(norm_eps < 1)) {
    throw Error(ErrorKind::Config, "model.norm_eps",
                concat(norm_eps, " was given; a number between 0 and 1 is needed"));
  }
  rope_scaling.validate();
  if (rope_scaling.type == RopeType::Yarn && !(rope_theta > 1)) {
    throw Error(ErrorKind::Config, "model.rope_theta",
                concat(rope_theta, " was given; yarn needs more than 1"));
  }
  if (qkv_bias && qk_norm) {
    throw Error(ErrorKind::Config, "model.qk_norm",
                "qk_norm and qkv_bias are both on; no known architecture has both",
                "Qwen2 has qkv_bias, Qwen3 has qk_norm, Llama has neither");
  }
}

long long ModelConfig::parameter_count() const {
  const long long d = dim, q = 1LL * heads * head_dim, kv = 1LL * kv_heads * head_dim;
  long long layer = 2 * d + (2 * q + 2 * kv) * d + 3 * d * ffn;
  if (qkv_bias) layer += q + 2 * kv;
  if (qk_norm) layer += 2 * head_dim;
  return layers * layer + d + vocab * d * (tied_embedding ? 1 : 2);
}

}  // namespace allot::lm
