#include "allot/store/database.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/store/migrations.h"
#include "allot/store/schema.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

SqliteConnection open_run_database(const fs::path& path) {
  SqliteConnection connection = SqliteConnection::open_for_writing(path);
  connection.execute("PRAGMA journal_mode = WAL");
  // A step is durable after flush(); before it, a power cut may take back whole steps, never parts.
  connection.execute("PRAGMA synchronous = NORMAL");
  bring_up_to_date(connection, path);
  return connection;
}

const char* severity_name(Severity severity) {
  switch (severity) {
    case Severity::Info:
      return "info";
    case Severity::Warning:
      return "warning";
    case Severity::Error:
      return "error";
  }
  return "unknown";
}

// Counts of the prompts that the forgotten steps (>= ?1) had touched, from the groups that remain.
constexpr const char* kBookPromptsAgain = R"sql(
UPDATE prompts SET steps = g.steps, rollouts = g.rollouts, correct = g.correct,
    tokens = g.tokens, trials = g.trials, successes = g.successes, shipped = g.shipped,
    first_step = g.first, last_step = g.last,
    last_cause = (SELECT cause FROM groups WHERE prompt = id ORDER BY step DESC LIMIT 1),
    last_advantage = (SELECT advantage FROM groups WHERE prompt = id AND advantage IS NOT NULL
                      ORDER BY step DESC LIMIT 1)
  FROM (SELECT prompt, count(*) AS steps, sum(generated) AS rollouts, sum(correct) AS correct,
               sum(tokens) AS tokens, sum(trials) AS trials, sum(successes) AS successes,
               sum(shipped) AS shipped, min(step) AS first, max(step) AS last
        FROM groups GROUP BY prompt) AS g
  WHERE g.prompt = id AND last_step >= ?1)sql";

// After it, those that no remaining step planned are as before their first one.
constexpr const char* kForgetPrompts = R"sql(
UPDATE prompts SET text = NULL, answer = NULL, token_ids = NULL, steps = 0, rollouts = 0,
    correct = 0, tokens = 0, trials = 0, successes = 0, shipped = 0, first_step = NULL,
    last_step = NULL, last_cause = NULL, last_advantage = NULL
  WHERE last_step >= ?1)sql";

// "[3,17]", as SQLite's json_each() reads it.
std::string ids_text(std::span<const std::int32_t> ids) {
  std::string text = "[";
  for (const std::int32_t id : ids) {
    if (text.size() > 1) text += ',';
    text += std::to_string(id);
  }
  return text + "]";
}

std::string placeholders(int count) {
  std::string text = "?";
  for (int i = 1; i < count; ++i) text += ", ?";
  return text;
}

void bind_totals(SqliteStatement& statement, int first, const RunTotals& totals) {
  RunTotals::columns([&](const char*, auto member) { statement.bind(first++, totals.*member); });
}

void finish(SqliteStatement& statement) {
  while (statement.next()) {
  }
}

}  // namespace

// What the rollouts of one prompt add up to in a step.
struct RunDatabase::GroupTally {
  std::uint64_t generated = 0, correct = 0, tokens = 0;
  std::uint64_t trials = 0, successes = 0;  // scored rollouts of the first round
  double sizes = 0;                         // of the advantages of `items`, added up
  std::uint64_t items = 0;                  // trained on

  std::optional<double> mean_size() const {
    return items > 0 ? std::optional(sizes / static_cast<double>(items)) : std::nullopt;
  }
};

// What the rollouts of a step add up to.
struct RunDatabase::StepTally {
  std::unordered_map<PromptId, GroupTally> groups;
  std::uint64_t rollouts_trained = 0, tokens_trained = 0;
  std::uint64_t rollouts_discarded = 0, tokens_discarded = 0;
};

// What became of the step's own rollouts.
struct RunDatabase::OwnItems {
  explicit OwnItems(const TrainBatch& batch) : held(batch.hold.begin(), batch.hold.end()) {
    for (const TrainItem& item : batch.items) {
      const auto [found, is_new] = trained.try_emplace(item.rollout, Trained{item.advantage, 0});
      ++found->second.times;
    }
  }
  struct Trained {
    float advantage = 0;  // of the first item
    int times = 0;
  };
  std::unordered_map<RolloutId, Trained> trained;
  std::unordered_set<RolloutId> held;
};

RunDatabase::RunDatabase(const fs::path& path, std::size_t completions)
    : completions_(completions),
      connection_(open_run_database(path)),
      add_step_(connection_.prepare(
          concat("INSERT INTO steps (step, updated, version_before, version_after, norm, fixed, "
                 "length_divisor, ",
                 totals_names(), ") VALUES (", placeholders(7), ", ", totals_places(), ")"))),
      add_metric_(connection_.prepare("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)")),
      name_prompt_(connection_.prepare("INSERT OR IGNORE INTO prompts (id, key) VALUES (?, ?)")),
      describe_prompt_(connection_.prepare(
          "UPDATE prompts SET text = ?2, answer = ?3, token_ids = ?4 WHERE id = ?1")),
      book_prompt_(connection_.prepare(
          "UPDATE prompts SET steps = steps + 1, rollouts = rollouts + ?3, correct = correct + ?4, "
          "tokens = tokens + ?5, trials = trials + ?6, successes = successes + ?7, "
          "shipped = shipped + ?8, first_step = coalesce(first_step, ?2), last_step = ?2, "
          "last_cause = ?9, last_advantage = coalesce(?10, last_advantage) "
          "WHERE id = ?1 RETURNING text IS NULL")),
      add_group_(connection_.prepare(concat("INSERT INTO groups VALUES (", placeholders(16), ")"))),
      add_rollout_(
          connection_.prepare(concat("INSERT INTO rollouts VALUES (", placeholders(20), ")"))),
      add_decision_(
          connection_.prepare(concat("INSERT INTO decisions VALUES (", placeholders(14), ")"))),
      mark_trained_(connection_.prepare(
          "UPDATE rollouts SET trained = trained + 1 WHERE id = ? AND step < ?")),
      find_rollout_(connection_.prepare("SELECT trained, tokens FROM rollouts WHERE id = ?")),
      add_evaluation_(connection_.prepare(
          concat("INSERT OR REPLACE INTO evaluations (step, name, prompts, group_size, pass_at_1, "
                 "pass_at_k, mean_reward, mean_tokens, truncated_share, no_answer_share, "
                 "complete, ",
                 totals_names(), ") VALUES (", placeholders(11), ", ", totals_places(), ")"))),
      add_event_(connection_.prepare("INSERT INTO events VALUES (?, ?, ?, ?)")),
      set_fact_(connection_.prepare("INSERT OR REPLACE INTO run VALUES (?, ?)")) {
  load_totals();
}

void RunDatabase::load_totals() {
  totals_ = {};
  SqliteStatement last = connection_.prepare(
      concat("SELECT ", totals_names(), " FROM steps ORDER BY step DESC LIMIT 1"));
  if (!last.next()) return;
  int column = 0;
  RunTotals::columns([&](const char*, auto member) {
    auto& value = totals_.*member;
    if constexpr (std::is_floating_point_v<std::remove_reference_t<decltype(value)>>)
      value = last.real(column++);
    else
      value = last.count(column++);
  });
}

std::uint64_t RunDatabase::cut_back(std::uint64_t first_step) {
  SqliteTransaction transaction(connection_);
  // Rollouts held from before and trained on in a step that is forgotten.
  connection_
      .prepare(
          "UPDATE rollouts SET trained = trained - d.times FROM (SELECT rollout, count(*) AS "
          "times FROM decisions WHERE step >= ?1 AND kind = 'train' GROUP BY rollout) AS d "
          "WHERE rollouts.id = d.rollout AND rollouts.step < ?1")
      .run(first_step);
  for (const char* table : {"steps", "metrics", "groups", "rollouts", "decisions", "events"})
    connection_.prepare(concat("DELETE FROM ", table, " WHERE step >= ?")).run(first_step);
  connection_.prepare("DELETE FROM evaluations WHERE step > ?").run(first_step);
  for (const char* sql : {kBookPromptsAgain, kForgetPrompts})
    connection_.prepare(sql).run(first_step);
  transaction.commit();
  load_totals();
  const auto present =
      static_cast<std::uint64_t>(connection_.integer("SELECT count(*) FROM steps"));
  return first_step - std::min(first_step, present);
}

void RunDatabase::add_prompts(const PromptSource& prompts, std::span<const PromptId> ids,
                              Encode encode) {
  encode_ = std::move(encode);
  SqliteTransaction transaction(connection_);
  for (const PromptId id : ids) name_prompt_.run(id, prompts.get(id).key);
  transaction.commit();
}

void RunDatabase::write_step(const StepRecord& record) {
  SqliteTransaction transaction(connection_);
  write_rollouts(record);
  write_decisions(record);
  const StepTally tally = tally_of(record);
  write_prompts_and_groups(record, tally);
  for (const Metric& metric : record.metrics)
    add_metric_.run(record.step, metric.name, metric.value);

  const RunTotals totals = totals_after(record, tally);
  add_step_.start(record.step, record.feedback.updated, record.feedback.before,
                  record.feedback.after, name(record.batch.norm), record.batch.fixed,
                  record.batch.length_divisor);
  bind_totals(add_step_, 8, totals);
  finish(add_step_);
  transaction.commit();
  totals_ = totals;
}

RunTotals RunDatabase::totals_after(const StepRecord& record, const StepTally& tally) {
  RunTotals totals = totals_;
  totals.updates += record.feedback.updated ? 1 : 0;
  totals.prefilled += record.cost.prefilled;
  totals.generated += record.cost.generated;
  totals.trained += record.cost.trained;
  totals.scored += record.cost.scored;
  totals.compute += record.cost.compute();
  totals.rollouts_generated += record.generated.size();
  totals.rollouts_trained += tally.rollouts_trained;
  totals.rollouts_discarded += tally.rollouts_discarded;
  totals.tokens_trained += tally.tokens_trained;
  totals.tokens_discarded += tally.tokens_discarded;
  totals.generate_s += record.times.generate;
  totals.score_s += record.times.score;
  totals.train_s += record.times.train;
  totals.step_s += record.times.step;
  return totals;
}

// Runs after the step's rollouts and training marks are written, because a rollout given back may
// be of an earlier step: only the table knows whether it was ever trained on.
RunDatabase::StepTally RunDatabase::tally_of(const StepRecord& record) {
  StepTally tally;
  std::set<RolloutId> trained, held(record.batch.hold.begin(), record.batch.hold.end());
  for (const TrainItem& item : record.batch.items)
    if (trained.insert(item.rollout).second)
      tally.tokens_trained += record.store.get(item.rollout).rollout.tokens.size();
  tally.rollouts_trained = trained.size();

  for (const RolloutId id : record.generated) {
    const StoredRollout& stored = record.store.get(id);
    GroupTally& group = tally.groups[stored.rollout.prompt];
    group.generated += 1;
    group.correct += stored.score.correct ? 1 : 0;
    group.tokens += stored.rollout.tokens.size();
    if (stored.rollout.round == 0 && stored.score.scoring == Scoring::Scored) {
      group.trials += 1;
      group.successes += stored.score.correct ? 1 : 0;
    }
    if (trained.count(id) || held.count(id)) continue;
    tally.rollouts_discarded += 1;
    tally.tokens_discarded += stored.rollout.tokens.size();
  }
  for (const TrainGroup& pool : record.batch.groups) {
    GroupTally& group = tally.groups[pool.prompt];
    group.items += pool.count;
    for (std::uint32_t i = pool.first; i < pool.first + pool.count; ++i)
      group.sizes += std::abs(double{record.batch.items[i].advantage});
  }
  const std::set<RolloutId> fresh(record.generated.begin(), record.generated.end());
  for (const RolloutId id : record.batch.release) {
    if (fresh.count(id)) continue;  // counted above
    find_rollout_.start(id);
    if (find_rollout_.next() && find_rollout_.integer(0) == 0) {
      tally.rollouts_discarded += 1;
      tally.tokens_discarded += find_rollout_.count(1);
    }
    find_rollout_.reset();
  }
  return tally;
}

void RunDatabase::write_prompts_and_groups(const StepRecord& record, const StepTally& tally) {
  std::unordered_map<PromptId, const TrainGroup*> pools;
  for (const TrainGroup& group : record.batch.groups) pools.emplace(group.prompt, &group);
  std::uint64_t position = 0;
  for (const GroupReport& report : record.batch.reports) {
    const auto found = tally.groups.find(report.prompt);
    const GroupTally group = found == tally.groups.end() ? GroupTally{} : found->second;
    const auto pool = pools.find(report.prompt);
    std::optional<std::uint32_t> pool_n;
    std::optional<double> pool_mean;
    if (pool != pools.end()) {
      pool_n = pool->second->pool_n;
      pool_mean = pool->second->pool_mean;
    }
    add_group_.run(record.step, position++, report.prompt, group.generated, group.correct,
                   group.tokens, group.trials, group.successes, report.counted_n,
                   double{report.counted_sum}, report.admitted, report.shipped, pool_n, pool_mean,
                   group.mean_size(), name(report.cause));
    book_prompt(record.step, record.prompts.get(report.prompt), report, group);
  }
}

void RunDatabase::book_prompt(std::uint64_t step, const Prompt& prompt, const GroupReport& report,
                              const GroupTally& group) {
  name_prompt_.run(prompt.id, prompt.key);
  book_prompt_.start(prompt.id, step, group.generated, group.correct, group.tokens, group.trials,
                     group.successes, report.shipped, name(report.cause), group.mean_size());
  const bool is_new = book_prompt_.next() && book_prompt_.integer(0) != 0;
  book_prompt_.reset();
  if (!is_new) return;
  std::optional<std::string> ids;
  if (encode_) ids = ids_text(encode_(prompt.text));
  describe_prompt_.run(prompt.id, prompt.text, prompt.answer, ids);
}

void RunDatabase::write_rollouts(const StepRecord& record) {
  const OwnItems own(record.batch);
  const std::size_t count = record.generated.size();
  const std::size_t texts = std::min(completions_, count);
  std::size_t written = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const StoredRollout& stored = record.store.get(record.generated[i]);
    const Rollout& rollout = stored.rollout;
    const Score& score = stored.score;
    std::optional<double> reward;
    if (score.scoring == Scoring::Scored) reward = score.reward;
    // Evenly spaced over the issue order, so that the texts come from different prompts.
    const bool with_text = written < texts && i == (2 * written + 1) * count / (2 * texts);
    std::optional<std::string_view> text, answer, reason;
    std::optional<std::string> ids;
    if (with_text) {
      ids = ids_text(rollout.tokens);
      text = rollout.text;
      answer = score.answer;
      reason = score.reason;
      ++written;
    }
    const auto trained = own.trained.find(rollout.id);
    const bool is_trained = trained != own.trained.end();
    std::optional<double> advantage;
    if (is_trained) advantage = double{trained->second.advantage};
    add_rollout_.run(rollout.id, record.step, rollout.prompt, rollout.seq, rollout.round,
                     rollout.tag, rollout.behaviour, name(rollout.status), name(score.scoring),
                     reward, score.correct, score.parsed,
                     static_cast<std::uint64_t>(rollout.tokens.size()),
                     is_trained || own.held.contains(rollout.id),
                     is_trained ? trained->second.times : 0, advantage, text, ids, answer, reason);
  }
}

void RunDatabase::write_decisions(const StepRecord& record) {
  std::uint64_t position = 0;
  const std::uint64_t step = record.step;
  for (const Issued& issued : record.issued)
    add_decision_.run(step, position++, "request", issued.prompt, issued.first, issued.n,
                      issued.first_seq, issued.tag, issued.round, double{issued.temperature},
                      issued.exemplar, nullptr, nullptr, nullptr);
  const auto add = [&](const char* kind, PromptId prompt, const TrainItem& item) {
    add_decision_.run(step, position++, kind, prompt, item.rollout, nullptr, nullptr, nullptr,
                      nullptr, nullptr, nullptr, double{item.advantage}, double{item.weight},
                      name(item.anchor));
  };
  for (const TrainGroup& group : record.batch.groups) {
    for (std::uint32_t i = 0; i < group.count; ++i) {
      const TrainItem& item = record.batch.items[group.first + i];
      add("train", group.prompt, item);
      mark_trained_.run(item.rollout, step);
    }
  }
  const auto add_id = [&](const char* kind, RolloutId id) {
    add_decision_.run(step, position++, kind, nullptr, id, nullptr, nullptr, nullptr, nullptr,
                      nullptr, nullptr, nullptr, nullptr, nullptr);
  };
  for (const RolloutId id : record.batch.hold) add_id("hold", id);
  for (const RolloutId id : record.batch.release) add_id("release", id);
}

void RunDatabase::write_event(const Event& event) {
  add_event_.run(event.step, severity_name(event.severity), event.code, event.text);
}

void RunDatabase::write_evaluation(std::uint64_t step, std::string_view set,
                                   const EvalResult& result,
                                   const std::map<int, double>& pass_at_k) {
  nlohmann::ordered_json shares = nlohmann::ordered_json::object();
  for (const auto& [k, share] : pass_at_k) shares[std::to_string(k)] = share;
  add_evaluation_.start(step, set, static_cast<std::uint64_t>(result.prompts), result.group_size,
                        result.pass_at_1, shares.dump(), result.mean_reward, result.mean_tokens,
                        result.truncated_share, result.no_answer_share, result.complete);
  bind_totals(add_evaluation_, 12, totals_);
  finish(add_evaluation_);
}

bool RunDatabase::has_evaluation(std::uint64_t step, std::string_view set) {
  SqliteStatement find =
      connection_.prepare("SELECT 1 FROM evaluations WHERE step = ? AND name = ?");
  find.start(step, set);
  return find.next();
}

void RunDatabase::set_fact(std::string_view key, std::string_view value) {
  set_fact_.run(key, value);
}

void RunDatabase::flush() { connection_.execute("PRAGMA wal_checkpoint(TRUNCATE)"); }

}  // namespace allot
