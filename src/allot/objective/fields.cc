#include "allot/objective/fields.h"

#include <cmath>

#include "allot/objective/presets.h"
#include "allot/objective/requirements.h"

namespace allot::objective {
namespace {

[[noreturn]] void refuse(std::string_view field, std::size_t row, const std::string& what) {
  throw Error(ErrorKind::Data, "objective", concat(field, ", row ", row, ": ", what));
}

template <class Rows>
void check_count(const Rows& rows, const char* field, std::size_t count) {
  if (!rows.empty() && rows.size() != count)
    throw Error(
        ErrorKind::Data, "objective",
        concat(field, " has ", rows.size(), " rows, logprobs has ", count, "; one each is needed"));
}

// Row i of a field by token, empty if the field is not given.
template <class Rows>
auto by_token(const Rows& rows, const char* field, std::size_t i, std::size_t tokens) {
  if (rows.empty()) return typename Rows::value_type{};
  if (rows[i].size() != tokens)
    refuse(
        field, i,
        concat(rows[i].size(), " values were given for ", tokens, " tokens; one each is needed"));
  return rows[i];
}

double one(const Matrix& rows, const char* field, std::size_t i, double otherwise) {
  if (rows.empty()) return otherwise;
  if (rows[i].size() != 1 || !std::isfinite(rows[i][0]))
    refuse(field, i, "one finite number is needed");
  return rows[i][0];
}

std::uint64_t whole(const Matrix& rows, const char* field, std::size_t i, std::uint64_t otherwise,
                    double limit) {
  const double value = one(rows, field, i, static_cast<double>(otherwise));
  if (value < 0 || value > limit || value != std::floor(value))
    refuse(field, i, concat(value, " was given; a whole number of 0 or more is needed"));
  return static_cast<std::uint64_t>(value);
}

std::vector<std::int64_t> ids(const Numbers& values, const char* field, std::size_t row) {
  std::vector<std::int64_t> out;
  for (const double v : values) {
    if (!(std::abs(v) < 9e15) || v != std::floor(v))
      refuse(field, row, concat(v, " was given; the id of a token is needed"));
    out.push_back(static_cast<std::int64_t>(v));
  }
  return out;
}

// What stands behind a mask of 0 is never read.
void blank(Numbers& values, const Numbers& mask) {
  for (std::size_t t = 0; t < values.size() && t < mask.size(); ++t)
    if (mask[t] == 0) values[t] = 0;
}

Anchor anchor_of(const Fields& fields, std::size_t i) {
  if (fields.anchor_override.empty() || fields.anchor_override[i] == "recompute")
    return Anchor::StepStart;
  if (fields.anchor_override[i] != "behaviour")
    refuse("anchor_override", i,
           concat("'", fields.anchor_override[i], "' was given; recompute or behaviour is needed"));
  return Anchor::Behaviour;
}

std::vector<TopK> top_of(const Fields& f, std::size_t i, std::size_t tokens) {
  const Matrix top_ids = by_token(f.rollout_topk_ids, "rollout_topk_ids", i, tokens);
  const Matrix rollout = by_token(f.rollout_topk_logprobs, "rollout_topk_logprobs", i, tokens);
  const Matrix current = by_token(f.topk_logprobs, "topk_logprobs", i, tokens);
  const Matrix old = by_token(f.old_topk_logprobs, "old_topk_logprobs", i, tokens);
  std::vector<TopK> out;
  for (std::size_t t = 0; t < top_ids.size(); ++t) {
    TopK& top = out.emplace_back();
    top.ids = ids(top_ids[t], "rollout_topk_ids", i);
    const auto take = [&](const Matrix& from, const char* field) {
      if (from.empty()) return Numbers{};
      if (from[t].size() != top.ids.size())
        refuse(field, i,
               concat("token ", t, " has ", from[t].size(), " values for ", top.ids.size(),
                      " ids; one each is needed"));
      return from[t];
    };
    top.rollout = take(rollout, "rollout_topk_logprobs");
    top.current = take(current, "topk_logprobs");
    top.old = take(old, "old_topk_logprobs");
  }
  return out;
}

void set_advantage(const Fields& f, std::size_t i, LossRow& row) {
  if (f.external_advantage.empty()) return;
  const Numbers& given = f.external_advantage[i];
  if (given.size() == 1)
    row.advantage = given[0];
  else
    row.token_advantage =
        by_token(f.external_advantage, "external_advantage", i, row.logprob.size());
  blank(row.token_advantage, row.mask);
}

LossRow row_of(const Fields& f, std::size_t i) {
  LossRow row;
  const std::size_t tokens = f.logprobs[i].size();
  row.logprob = f.logprobs[i];
  row.mask = by_token(f.mask, "mask", i, tokens);
  row.old = by_token(f.old_logprobs, "old_logprobs", i, tokens);
  row.rollout = by_token(f.rollout_logprobs, "rollout_logprobs", i, tokens);
  row.reference = by_token(f.ref_logprobs, "ref_logprobs", i, tokens);
  row.entropy = by_token(f.entropy, "entropy", i, tokens);
  for (Numbers* values : {&row.logprob, &row.old, &row.rollout, &row.reference, &row.entropy})
    blank(*values, row.mask);
  row.token_ids = ids(by_token(f.token_ids, "token_ids", i, tokens), "token_ids", i);
  row.hidden = by_token(f.hidden, "hidden", i, tokens);
  row.top = top_of(f, i, tokens);
  row.group = static_cast<std::uint32_t>(whole(f.group_index, "group_index", i, 0, 4294967295.0));
  row.weight = one(f.item_weight, "item_weight", i, 1);
  row.log_partition = one(f.log_partition, "log_partition", i, 0);
  row.truncated = one(f.truncated, "truncated", i, 0) != 0;
  row.rollout_id = whole(f.rollout_id, "rollout_id", i, i, 9e15);
  row.anchor = anchor_of(f, i);
  set_advantage(f, i, row);
  return row;
}

}  // namespace

std::vector<std::pair<const char*, Matrix Fields::*>> matrix_fields() {
  return {{"logprobs", &Fields::logprobs},
          {"old_logprobs", &Fields::old_logprobs},
          {"rollout_logprobs", &Fields::rollout_logprobs},
          {"ref_logprobs", &Fields::ref_logprobs},
          {"mask", &Fields::mask},
          {"entropy", &Fields::entropy},
          {"token_ids", &Fields::token_ids},
          {"rewards", &Fields::rewards},
          {"external_advantage", &Fields::external_advantage},
          {"group_index", &Fields::group_index},
          {"item_weight", &Fields::item_weight},
          {"log_partition", &Fields::log_partition},
          {"truncated", &Fields::truncated},
          {"rollout_id", &Fields::rollout_id}};
}

std::vector<std::pair<const char*, Cube Fields::*>> cube_fields() {
  return {{"rollout_topk_ids", &Fields::rollout_topk_ids},
          {"rollout_topk_logprobs", &Fields::rollout_topk_logprobs},
          {"topk_logprobs", &Fields::topk_logprobs},
          {"old_topk_logprobs", &Fields::old_topk_logprobs},
          {"hidden", &Fields::hidden}};
}

Step step_of(const Fields& fields) {
  const std::size_t count = fields.logprobs.size();
  for (const auto& [name, member] : matrix_fields()) check_count(fields.*member, name, count);
  for (const auto& [name, member] : cube_fields()) check_count(fields.*member, name, count);
  check_count(fields.anchor_override, "anchor_override", count);
  if (!fields.rewards.empty() && !fields.external_advantage.empty())
    throw Error(ErrorKind::Data, "objective",
                "rewards and external_advantage were both given; one of them is needed");
  if (fields.rewards.empty() && fields.external_advantage.empty() && count > 0)
    throw Error(ErrorKind::Data, "objective",
                "neither rewards nor external_advantage was given; one of them is needed");
  if (!fields.rewards.empty() && fields.group_index.empty())
    throw Error(ErrorKind::Data, "objective",
                "group_index is missing; rewards need it, since groups are never guessed");
  Step step;
  step.rewards = fields.rewards;
  step.seed = fields.seed;
  step.step = fields.step;
  for (std::size_t i = 0; i < count; ++i) step.rows.push_back(row_of(fields, i));
  return step;
}

Evaluation evaluate(const LossOptions& options, const ScalarEstimator& estimator,
                    const Fields& fields) {
  const Requirements needs = requirements(options);
  const auto require = [&](bool needed, const Matrix& field, const char* what) {
    if (needed && field.empty() && !fields.logprobs.empty())
      throw Error(ErrorKind::Data, "objective",
                  concat(what, " is missing; one number per row is needed"));
  };
  require(needs.log_partition, fields.log_partition,
          "loss.surrogate is flow_balance and the field log_partition");
  require(needs.truncated, fields.truncated, "loss.masks has truncated and the field truncated");
  return evaluate(options, estimator, step_of(fields));
}

void apply_settings(OptionList& list, const std::vector<std::pair<std::string, std::string>>& given,
                    std::string_view origin) {
  std::string name = list.find("loss.preset")->plain_text();
  for (const auto& [key, value] : given)
    if (key == "loss.preset") name = value;
  for (const auto& [key, value] : preset_settings(preset(name), "adv."))
    list.set(key, value, "loss.preset");
  for (const auto& [key, value] : given) list.set(key, value, origin);
}

}  // namespace allot::objective
