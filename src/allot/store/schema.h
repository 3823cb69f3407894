// The tables of run.sqlite, version 3. Meaning of every column: docs/formats.md. Databases of
// earlier versions are brought up to this one by migrations.h, which changes with every version.
//
// A step only appends: rows of one step lie side by side, and no index is kept by prompt or by
// rollout. Prompts come in random order, so anything kept by prompt would be a page written for
// nearly every prompt of every step; what is known of them is added up by the views.
//
// `%TOTALS%` stands for the columns of RunTotals::columns, in their order.
#pragma once

#include <string>
#include <type_traits>

#include "allot/store/totals.h"

namespace allot {

inline constexpr int kSchemaVersion = 3;           // PRAGMA user_version
inline constexpr int kApplicationId = 0x616c6c6f;  // PRAGMA application_id: "allo"

inline constexpr const char* kSchema = R"sql(
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE steps (
  step INTEGER PRIMARY KEY, updated INTEGER NOT NULL,
  version_before INTEGER NOT NULL, version_after INTEGER NOT NULL,
  norm TEXT NOT NULL, fixed REAL NOT NULL, length_divisor REAL NOT NULL,
  %TOTALS%);

CREATE TABLE metrics (
  step INTEGER NOT NULL, name TEXT NOT NULL, value REAL,
  PRIMARY KEY (step, name)) WITHOUT ROWID;

CREATE TABLE prompt_names (id INTEGER PRIMARY KEY, key TEXT NOT NULL);

CREATE TABLE prompt_texts (
  step INTEGER NOT NULL, prompt INTEGER NOT NULL,
  text TEXT NOT NULL, answer TEXT NOT NULL, token_ids TEXT);

CREATE TABLE groups (
  step INTEGER NOT NULL, position INTEGER NOT NULL, prompt INTEGER NOT NULL,
  generated INTEGER NOT NULL, correct INTEGER NOT NULL, tokens INTEGER NOT NULL,
  trials INTEGER NOT NULL, successes INTEGER NOT NULL,
  counted_n INTEGER NOT NULL, counted_sum REAL NOT NULL,
  admitted INTEGER NOT NULL, shipped INTEGER NOT NULL,
  pool_n INTEGER, pool_mean REAL, advantage REAL, cause TEXT NOT NULL,
  PRIMARY KEY (step, position)) WITHOUT ROWID;

CREATE TABLE rollouts (
  id INTEGER PRIMARY KEY, step INTEGER NOT NULL, prompt INTEGER NOT NULL,
  seq INTEGER NOT NULL, round INTEGER NOT NULL, tag INTEGER NOT NULL,
  behaviour INTEGER NOT NULL, status TEXT NOT NULL, scoring TEXT NOT NULL,
  reward REAL, correct INTEGER NOT NULL, parsed INTEGER NOT NULL,
  tokens INTEGER NOT NULL, kept INTEGER NOT NULL, trained INTEGER NOT NULL, advantage REAL,
  text TEXT, token_ids TEXT, answer TEXT, reason TEXT, rewards TEXT);

CREATE TABLE decisions (
  step INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL,
  prompt INTEGER, rollout INTEGER,
  n INTEGER, first_seq INTEGER, tag INTEGER, round INTEGER, temperature REAL, exemplar INTEGER,
  advantage REAL, weight REAL, anchor TEXT);

CREATE TABLE evaluations (
  step INTEGER NOT NULL, name TEXT NOT NULL,
  prompts INTEGER NOT NULL, group_size INTEGER NOT NULL,
  pass_at_1 REAL NOT NULL, pass_at_k TEXT NOT NULL,
  mean_reward REAL, mean_tokens REAL, truncated_share REAL, no_answer_share REAL,
  complete INTEGER NOT NULL,
  %TOTALS%,
  PRIMARY KEY (step, name)) WITHOUT ROWID;

CREATE TABLE events (
  step INTEGER NOT NULL, severity TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL);
)sql";

// They hold nothing, so an older database gets them as they are now.
inline constexpr const char* kViews = R"sql(
CREATE VIEW prompts AS
  SELECT n.id, n.key, t.text, t.answer, t.token_ids,
         coalesce(g.steps, 0) AS steps, coalesce(g.rollouts, 0) AS rollouts,
         coalesce(g.correct, 0) AS correct, coalesce(g.tokens, 0) AS tokens,
         coalesce(g.trials, 0) AS trials, coalesce(g.successes, 0) AS successes,
         coalesce(g.shipped, 0) AS shipped,
         t.step AS first_step, g.last_step, g.last_cause, a.last_advantage
  FROM prompt_names n LEFT JOIN prompt_texts t ON t.prompt = n.id
  LEFT JOIN (SELECT prompt, count(*) AS steps, sum(generated) AS rollouts,
                    sum(correct) AS correct, sum(tokens) AS tokens, sum(trials) AS trials,
                    sum(successes) AS successes, sum(shipped) AS shipped,
                    max(step) AS last_step, cause AS last_cause  -- of the row with the maximum
             FROM groups GROUP BY prompt) g ON g.prompt = n.id
  LEFT JOIN (SELECT prompt, max(step), advantage AS last_advantage
             FROM groups WHERE advantage IS NOT NULL GROUP BY prompt) a ON a.prompt = n.id;

CREATE VIEW completions AS
  SELECT r.step, p.key AS prompt_key, t.text AS prompt, t.answer AS reference, r.round,
         r.text AS completion, r.reward, r.correct, r.status, r.scoring,
         CASE WHEN r.scoring = 'verifier_error' THEN 'error'
              WHEN r.scoring <> 'scored' THEN 'not_scorable'
              WHEN r.correct THEN 'correct' WHEN r.parsed THEN 'wrong' ELSE 'no_answer'
         END AS verdict,
         r.answer, r.reason, r.tokens, r.advantage, r.kept, r.trained,
         t.token_ids AS prompt_ids, r.token_ids AS completion_ids, r.rewards
  FROM rollouts r JOIN prompt_names p ON p.id = r.prompt
  LEFT JOIN prompt_texts t ON t.prompt = r.prompt WHERE r.text IS NOT NULL;

CREATE VIEW ledger AS
  SELECT id, key,
         CASE WHEN trials = 0 THEN 'unseen' WHEN wrong_streak >= 4 THEN 'dead'
              WHEN right_streak >= 4 THEN 'solved' ELSE 'mixed' END AS state,
         CASE WHEN trials > 0 THEN 1.0 * successes / trials END AS pass_rate,
         trials, successes, coalesce(wrong_streak, 0) AS wrong_streak,
         coalesce(right_streak, 0) AS right_streak,
         steps, rollouts, correct, tokens, shipped,
         first_step, last_step, last_cause, last_advantage, text, answer
  FROM prompts LEFT JOIN
    (SELECT prompt, coalesce(sum(trials) FILTER (WHERE step > last_right), 0) AS wrong_streak,
            coalesce(sum(trials) FILTER (WHERE step > last_wrong), 0) AS right_streak
     FROM (SELECT prompt, step, trials,
             max(CASE WHEN successes > 0 THEN step ELSE -1 END) OVER same AS last_right,
             max(CASE WHEN successes < trials THEN step ELSE -1 END) OVER same AS last_wrong
           FROM groups WINDOW same AS (PARTITION BY prompt))
     GROUP BY prompt) ON prompt = id;
)sql";

// "updates, prefilled, ..." for SELECT and INSERT.
inline std::string totals_names() {
  std::string names;
  RunTotals::columns([&](const char* name, auto) {
    if (!names.empty()) names += ", ";
    names += name;
  });
  return names;
}

// One "?" per column of totals_names().
inline std::string totals_places() {
  std::string places;
  RunTotals::columns([&](const char*, auto) { places += places.empty() ? "?" : ", ?"; });
  return places;
}

// kSchema with the columns of RunTotals in place, and kViews.
inline std::string schema_sql() {
  std::string columns;
  RunTotals::columns([&](const char* name, auto member) {
    using Value = std::remove_reference_t<decltype(RunTotals{}.*member)>;
    if (!columns.empty()) columns += ", ";
    columns += name;
    columns += std::is_floating_point_v<Value> ? " REAL NOT NULL" : " INTEGER NOT NULL";
  });
  std::string sql = kSchema;
  const std::string mark = "%TOTALS%";
  for (std::size_t at; (at = sql.find(mark)) != std::string::npos;)
    sql.replace(at, mark.size(), columns);
  return sql + kViews;
}

}  // namespace allot
