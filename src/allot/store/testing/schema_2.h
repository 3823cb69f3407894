// The tables of run.sqlite as version 2 made them; frozen, for tests of migrations.
#pragma once

namespace allot::testing {

inline constexpr const char* kSchema2 = R"sql(
CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE steps (
  step INTEGER PRIMARY KEY, updated INTEGER NOT NULL,
  version_before INTEGER NOT NULL, version_after INTEGER NOT NULL,
  norm TEXT NOT NULL, fixed REAL NOT NULL, length_divisor REAL NOT NULL,
  updates INTEGER NOT NULL, prefilled INTEGER NOT NULL, generated INTEGER NOT NULL,
  trained INTEGER NOT NULL, scored INTEGER NOT NULL, compute INTEGER NOT NULL,
  rollouts_generated INTEGER NOT NULL, rollouts_trained INTEGER NOT NULL,
  rollouts_discarded INTEGER NOT NULL, tokens_trained INTEGER NOT NULL,
  tokens_discarded INTEGER NOT NULL, generate_s REAL NOT NULL, score_s REAL NOT NULL,
  train_s REAL NOT NULL, step_s REAL NOT NULL);

CREATE TABLE metrics (
  step INTEGER NOT NULL, name TEXT NOT NULL, value REAL,
  PRIMARY KEY (step, name)) WITHOUT ROWID;

CREATE TABLE prompts (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, text TEXT, answer TEXT, token_ids TEXT,
  steps INTEGER NOT NULL DEFAULT 0, rollouts INTEGER NOT NULL DEFAULT 0,
  correct INTEGER NOT NULL DEFAULT 0, tokens INTEGER NOT NULL DEFAULT 0,
  trials INTEGER NOT NULL DEFAULT 0, successes INTEGER NOT NULL DEFAULT 0,
  shipped INTEGER NOT NULL DEFAULT 0,
  first_step INTEGER, last_step INTEGER, last_cause TEXT, last_advantage REAL);

CREATE TABLE groups (
  step INTEGER NOT NULL, position INTEGER NOT NULL, prompt INTEGER NOT NULL,
  generated INTEGER NOT NULL, correct INTEGER NOT NULL, tokens INTEGER NOT NULL,
  trials INTEGER NOT NULL, successes INTEGER NOT NULL,
  counted_n INTEGER NOT NULL, counted_sum REAL NOT NULL,
  admitted INTEGER NOT NULL, shipped INTEGER NOT NULL,
  pool_n INTEGER, pool_mean REAL, advantage REAL, cause TEXT NOT NULL,
  PRIMARY KEY (step, position)) WITHOUT ROWID;
CREATE INDEX groups_by_prompt ON groups (prompt, step);

CREATE TABLE rollouts (
  id INTEGER PRIMARY KEY, step INTEGER NOT NULL, prompt INTEGER NOT NULL,
  seq INTEGER NOT NULL, round INTEGER NOT NULL, tag INTEGER NOT NULL,
  behaviour INTEGER NOT NULL, status TEXT NOT NULL, scoring TEXT NOT NULL,
  reward REAL, correct INTEGER NOT NULL, parsed INTEGER NOT NULL,
  tokens INTEGER NOT NULL, kept INTEGER NOT NULL, trained INTEGER NOT NULL, advantage REAL,
  text TEXT, token_ids TEXT, answer TEXT, reason TEXT);
CREATE INDEX rollouts_by_step ON rollouts (step);

CREATE TABLE decisions (
  step INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL,
  prompt INTEGER, rollout INTEGER,
  n INTEGER, first_seq INTEGER, tag INTEGER, round INTEGER, temperature REAL, exemplar INTEGER,
  advantage REAL, weight REAL, anchor TEXT,
  PRIMARY KEY (step, position)) WITHOUT ROWID;

CREATE TABLE evaluations (
  step INTEGER NOT NULL, name TEXT NOT NULL,
  prompts INTEGER NOT NULL, group_size INTEGER NOT NULL,
  pass_at_1 REAL NOT NULL, pass_at_k TEXT NOT NULL,
  mean_reward REAL, mean_tokens REAL, truncated_share REAL, no_answer_share REAL,
  complete INTEGER NOT NULL,
  updates INTEGER NOT NULL, prefilled INTEGER NOT NULL, generated INTEGER NOT NULL,
  trained INTEGER NOT NULL, scored INTEGER NOT NULL, compute INTEGER NOT NULL,
  rollouts_generated INTEGER NOT NULL, rollouts_trained INTEGER NOT NULL,
  rollouts_discarded INTEGER NOT NULL, tokens_trained INTEGER NOT NULL,
  tokens_discarded INTEGER NOT NULL, generate_s REAL NOT NULL, score_s REAL NOT NULL,
  train_s REAL NOT NULL, step_s REAL NOT NULL,
  PRIMARY KEY (step, name)) WITHOUT ROWID;

CREATE TABLE events (
  step INTEGER NOT NULL, severity TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL);
CREATE VIEW completions AS
  SELECT r.step, p.key AS prompt_key, p.text AS prompt, p.answer AS reference, r.round,
         r.text AS completion, r.reward, r.correct, r.status, r.scoring,
         CASE WHEN r.scoring = 'verifier_error' THEN 'error'
              WHEN r.scoring <> 'scored' THEN 'not_scorable'
              WHEN r.correct THEN 'correct' WHEN r.parsed THEN 'wrong' ELSE 'no_answer'
         END AS verdict,
         r.answer, r.reason, r.tokens, r.advantage, r.kept, r.trained,
         p.token_ids AS prompt_ids, r.token_ids AS completion_ids
  FROM rollouts r JOIN prompts p ON p.id = r.prompt WHERE r.text IS NOT NULL;

CREATE VIEW ledger AS
  SELECT id, key,
         CASE WHEN trials = 0 THEN 'unseen' WHEN wrong_streak >= 4 THEN 'dead'
              WHEN right_streak >= 4 THEN 'solved' ELSE 'mixed' END AS state,
         CASE WHEN trials > 0 THEN 1.0 * successes / trials END AS pass_rate,
         trials, successes, wrong_streak, right_streak,
         steps, rollouts, correct, tokens, shipped,
         first_step, last_step, last_cause, last_advantage, text, answer
  FROM (SELECT *,
          (SELECT coalesce(sum(g.trials), 0) FROM groups g WHERE g.prompt = p.id AND g.step >
             (SELECT coalesce(max(h.step), -1) FROM groups h
              WHERE h.prompt = p.id AND h.successes > 0)) AS wrong_streak,
          (SELECT coalesce(sum(g.trials), 0) FROM groups g WHERE g.prompt = p.id AND g.step >
             (SELECT coalesce(max(h.step), -1) FROM groups h
              WHERE h.prompt = p.id AND h.successes < h.trials)) AS right_streak
        FROM prompts p);
)sql";

}  // namespace allot::testing
