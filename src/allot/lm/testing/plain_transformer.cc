#include "allot/lm/testing/plain_transformer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace allot::lm {
namespace {

using Vector = std::vector<double>;

class Network {
 public:
  Network(const ModelConfig& config, const Weights& weights) : c_(config), weights_(weights) {}

  const Vector& get(const std::string& name) const { return weights_.at(name); }

  // y = W x (+ b), W [out, in].
  Vector linear(const std::string& name, const Vector& x) const {
    const Vector& w = get(name + ".weight");
    Vector y(w.size() / x.size(), 0.0);
    for (std::size_t o = 0; o < y.size(); ++o) {
      for (std::size_t i = 0; i < x.size(); ++i) y[o] += w[o * x.size() + i] * x[i];
    }
    if (const auto bias = weights_.find(name + ".bias"); bias != weights_.end()) {
      for (std::size_t o = 0; o < y.size(); ++o) y[o] += bias->second[o];
    }
    return y;
  }

  Vector norm(const std::string& name, Vector x) const {
    const Vector& w = get(name);
    double squares = 0;
    for (const double v : x) squares += v * v;
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(x.size()) + c_.norm_eps);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] *= inverse * w[i];
    return x;
  }

  // The heads of q or k: optional norm, then rotation of (i, i + half) by the position.
  void prepare_heads(Vector& x, const std::string& norm_name, std::size_t position) const {
    const std::size_t size = c_.head_dim, half = size / 2;
    for (std::size_t start = 0; start < x.size(); start += size) {
      Vector head(x.begin() + start, x.begin() + start + size);
      if (c_.qk_norm) head = norm(norm_name, head);
      for (std::size_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(position) *
            std::pow(c_.rope_theta, -2.0 * static_cast<double>(i) / static_cast<double>(size));
        x[start + i] = head[i] * std::cos(angle) - head[i + half] * std::sin(angle);
        x[start + i + half] = head[i + half] * std::cos(angle) + head[i] * std::sin(angle);
      }
    }
  }

  void layer(int index, std::vector<Vector>& rows) const {
    const std::string name = "model.layers." + std::to_string(index) + ".";
    std::vector<Vector> q, k, v;
    for (std::size_t t = 0; t < rows.size(); ++t) {
      const Vector x = norm(name + "input_layernorm.weight", rows[t]);
      q.push_back(linear(name + "self_attn.q_proj", x));
      k.push_back(linear(name + "self_attn.k_proj", x));
      v.push_back(linear(name + "self_attn.v_proj", x));
      prepare_heads(q[t], name + "self_attn.q_norm.weight", t);
      prepare_heads(k[t], name + "self_attn.k_norm.weight", t);
    }
    for (std::size_t t = 0; t < rows.size(); ++t) {
      add(rows[t], linear(name + "self_attn.o_proj", attend(q[t], k, v, t)));
      const Vector x = norm(name + "post_attention_layernorm.weight", rows[t]);
      Vector gate = linear(name + "mlp.gate_proj", x);
      const Vector up = linear(name + "mlp.up_proj", x);
      for (std::size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
      add(rows[t], linear(name + "mlp.down_proj", gate));
    }
  }

 private:
  static void add(Vector& to, const Vector& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  }

  Vector attend(const Vector& q, const std::vector<Vector>& k, const std::vector<Vector>& v,
                std::size_t t) const {
    const std::size_t size = c_.head_dim;
    Vector out(q.size(), 0.0);
    for (int h = 0; h < c_.heads; ++h) {
      const std::size_t own = h * size, shared = h / (c_.heads / c_.kv_heads) * size;
      Vector weight(t + 1);
      for (std::size_t s = 0; s <= t; ++s) {
        for (std::size_t i = 0; i < size; ++i) weight[s] += q[own + i] * k[s][shared + i];
        weight[s] /= std::sqrt(static_cast<double>(size));
      }
      const double largest = *std::max_element(weight.begin(), weight.end());
      double sum = 0;
      for (double& w : weight) sum += w = std::exp(w - largest);
      for (std::size_t s = 0; s <= t; ++s) {
        for (std::size_t i = 0; i < size; ++i) out[own + i] += weight[s] / sum * v[s][shared + i];
      }
    }
    return out;
  }

  const ModelConfig& c_;
  const Weights& weights_;
};

}  // namespace

PlainOutput plain_transformer(const ModelConfig& config, const Weights& weights,
                              const std::vector<std::int32_t>& tokens, double temperature) {
  const Network network(config, weights);
  const std::string embedding = "model.embed_tokens.weight";
  std::vector<Vector> rows;
  for (const std::int32_t token : tokens) {
    const auto from = network.get(embedding).begin() + std::ptrdiff_t{token} * config.dim;
    rows.emplace_back(from, from + config.dim);
  }
  for (int i = 0; i < config.layers; ++i) network.layer(i, rows);

  PlainOutput out;
  const Vector& head = network.get(config.tied_embedding ? embedding : "lm_head.weight");
  for (const Vector& row : rows) {
    const Vector x = network.norm("model.norm.weight", row);
    Vector z(config.vocab, 0.0);
    for (int w = 0; w < config.vocab; ++w) {
      for (int i = 0; i < config.dim; ++i) z[w] += head[std::size_t(w) * config.dim + i] * x[i];
      z[w] /= temperature;
    }
    const double largest = *std::max_element(z.begin(), z.end());
    double sum = 0;
    for (const double value : z) sum += std::exp(value - largest);
    for (double& value : z) value -= largest + std::log(sum);
    out.hidden.push_back(x);
    out.logprob.push_back(z);
  }
  return out;
}

}  // namespace allot::lm
