#include "allot/store/database.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/store/function_rewards.h"
#include "allot/store/kept_texts.h"
#include "allot/store/migrations.h"
#include "allot/store/schema.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

// A run must not go on over a damaged history: what it would add could be lost, too.
void check_sound(const SqliteConnection& connection, const fs::path& path) {
  SqliteStatement check = connection.prepare("PRAGMA quick_check(1)");
  const std::string found = check.next() ? check.text(0) : "nothing was checked";
  if (found != "ok")
    throw Error(ErrorKind::Model, path.string(), concat("the database is damaged: ", found),
                "move run.sqlite away; the run then goes on from its checkpoint, without the "
                "history before it");
}

SqliteConnection open_run_database(const fs::path& path) {
  SqliteConnection connection = SqliteConnection::open_for_writing(path);
  connection.execute("PRAGMA journal_mode = WAL");
  // A step is durable after flush(); before it, a power cut may take back whole steps, never parts.
  connection.execute("PRAGMA synchronous = NORMAL");
  // Pages of the log: it is moved into the file by flush(), and by itself only when it is 16 MB.
  connection.execute("PRAGMA wal_autocheckpoint = 4000");
  bring_up_to_date(connection, path);
  check_sound(connection, path);
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

// `generated` is in issue order, and ids rise with it.
bool is_own(const StepRecord& record, RolloutId id) {
  return std::binary_search(record.generated.begin(), record.generated.end(), id);
}

void bind_totals(SqliteStatement& statement, int first, const RunTotals& totals) {
  RunTotals::columns([&](const char*, auto member) { statement.bind(first++, totals.*member); });
}

void finish(SqliteStatement& statement) {
  while (statement.next()) {
  }
}

// By verdict, for the choice of texts.
std::size_t kind_of(const Score& score) {
  if (score.scoring != Scoring::Scored) return score.scoring == Scoring::NotScorable ? 3 : 4;
  return score.correct ? 0 : score.parsed ? 1 : 2;
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

// What a step trains on and holds, by rollout.
struct RunDatabase::OwnItems {
  explicit OwnItems(const TrainBatch& batch) : held(batch.hold.begin(), batch.hold.end()) {
    trained.reserve(batch.items.size());
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
      prompts_(connection_),
      add_step_(connection_.prepare(
          concat("INSERT INTO steps (step, updated, version_before, version_after, norm, fixed, "
                 "length_divisor, ",
                 totals_names(), ") VALUES (", placeholders(7), ", ", totals_places(), ")"))),
      add_metric_(connection_.prepare("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?)")),
      add_group_(connection_.prepare(concat("INSERT INTO groups VALUES (", placeholders(16), ")"))),
      add_rollouts_(connection_, "rollouts", 21),
      add_requests_(connection_,
                    "decisions (step, position, kind, prompt, rollout, n, first_seq, tag, round, "
                    "temperature, exemplar)",
                    11),
      add_items_(connection_,
                 "decisions (step, position, kind, prompt, rollout, advantage, weight, anchor)", 8),
      add_fates_(connection_, "decisions (step, position, kind, rollout)", 4),
      mark_trained_(connection_.prepare("UPDATE rollouts SET trained = trained + 1 WHERE id = ?")),
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
  prompts_.cut_back(first_step);
  transaction.commit();
  load_totals();
  const auto present =
      static_cast<std::uint64_t>(connection_.integer("SELECT count(*) FROM steps"));
  return first_step - std::min(first_step, present);
}

void RunDatabase::add_prompts(const PromptSource& prompts, std::span<const PromptId> ids,
                              Encode encode) {
  SqliteTransaction transaction(connection_);
  prompts_.add_names(prompts, ids, std::move(encode));
  transaction.commit();
}

void RunDatabase::write_step(const StepRecord& record) {
  SqliteTransaction transaction(connection_);
  const OwnItems own(record.batch);
  write_rollouts(record, own);
  write_decisions(record);
  const StepTally tally = tally_of(record, own);
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
RunDatabase::StepTally RunDatabase::tally_of(const StepRecord& record, const OwnItems& own) {
  StepTally tally;
  for (const auto& [id, item] : own.trained)
    tally.tokens_trained += record.store.get(id).rollout.tokens.size();
  tally.rollouts_trained = own.trained.size();

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
    if (own.trained.contains(id) || own.held.contains(id)) continue;
    tally.rollouts_discarded += 1;
    tally.tokens_discarded += stored.rollout.tokens.size();
  }
  for (const TrainGroup& pool : record.batch.groups) {
    GroupTally& group = tally.groups[pool.prompt];
    group.items += pool.count;
    for (std::uint32_t i = pool.first; i < pool.first + pool.count; ++i)
      group.sizes += std::abs(double{record.batch.items[i].advantage});
  }
  for (const RolloutId id : record.batch.release) {
    if (is_own(record, id)) continue;  // counted above
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
    prompts_.plan(record.step, record.prompts.get(report.prompt));
  }
}

void RunDatabase::write_rollouts(const StepRecord& record, const OwnItems& own) {
  const std::size_t count = record.generated.size();
  std::vector<std::size_t> kinds;
  for (const RolloutId id : record.generated) kinds.push_back(kind_of(record.store.get(id).score));
  const std::vector<std::size_t> texts = kept_texts(kinds, completions_);
  const RewardText rewards(record.functions);
  std::size_t written = 0;
  add_rollouts_.add(count, [&](std::size_t i) {
    const StoredRollout& stored = record.store.get(record.generated[i]);
    const Rollout& rollout = stored.rollout;
    const Score& score = stored.score;
    std::optional<double> reward;
    if (score.scoring == Scoring::Scored) reward = score.reward;
    const bool with_text = written < texts.size() && i == texts[written];
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
    return std::tuple(
        rollout.id, record.step, rollout.prompt, rollout.seq, rollout.round, rollout.tag,
        rollout.behaviour, name(rollout.status), name(score.scoring), reward, score.correct,
        score.parsed, static_cast<std::uint64_t>(rollout.tokens.size()),
        is_trained || own.held.contains(rollout.id), is_trained ? trained->second.times : 0,
        advantage, text, std::move(ids), answer, reason, rewards(score.parts));
  });
}

void RunDatabase::write_decisions(const StepRecord& record) {
  const std::uint64_t step = record.step;
  std::uint64_t position = 0;
  add_requests_.add(record.issued.size(), [&](std::size_t i) {
    const Issued& issued = record.issued[i];
    return std::tuple(step, position++, "request", issued.prompt, issued.first, issued.n,
                      issued.first_seq, issued.tag, issued.round, double{issued.temperature},
                      issued.exemplar);
  });
  std::vector<std::pair<PromptId, const TrainItem*>> items;
  for (const TrainGroup& group : record.batch.groups)
    for (std::uint32_t i = 0; i < group.count; ++i)
      items.emplace_back(group.prompt, &record.batch.items[group.first + i]);
  add_items_.add(items.size(), [&](std::size_t i) {
    const auto& [prompt, item] = items[i];
    return std::tuple(step, position++, "train", prompt, item->rollout, double{item->advantage},
                      double{item->weight}, name(item->anchor));
  });
  for (const auto& [prompt, item] : items)
    if (!is_own(record, item->rollout)) mark_trained_.run(item->rollout);
  const auto add_ids = [&](const char* kind, const std::vector<RolloutId>& ids) {
    add_fates_.add(ids.size(),
                   [&](std::size_t i) { return std::tuple(step, position++, kind, ids[i]); });
  };
  add_ids("hold", record.batch.hold);
  add_ids("release", record.batch.release);
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

void RunDatabase::forget_evaluations(std::uint64_t step) {
  connection_.prepare("DELETE FROM evaluations WHERE step = ?").run(step);
}

bool RunDatabase::has_evaluation(std::uint64_t step, std::string_view set) {
  SqliteStatement find =
      connection_.prepare("SELECT 1 FROM evaluations WHERE step = ? AND name = ?");
  find.start(step, set);
  return find.next();
}

std::uint64_t RunDatabase::groups() const {
  return static_cast<std::uint64_t>(connection_.integer("SELECT count(*) FROM groups"));
}

std::string RunDatabase::trainer_state(std::uint64_t step, const TrainerFacts& facts) const {
  return trainer_state_json(connection_, step, facts);
}

void RunDatabase::set_fact(std::string_view key, std::string_view value) {
  set_fact_.run(key, value);
}

void RunDatabase::flush() { connection_.execute("PRAGMA wal_checkpoint(TRUNCATE)"); }

}  // namespace allot
