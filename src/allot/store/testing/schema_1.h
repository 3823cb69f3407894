// The tables of run.sqlite as version 1 made them; frozen, for tests of migrations.
#pragma once

namespace allot::testing {

inline constexpr const char* kSchema1 = R"sql(
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
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, text TEXT NOT NULL, answer TEXT NOT NULL);
CREATE TABLE groups (
  step INTEGER NOT NULL, position INTEGER NOT NULL, prompt INTEGER NOT NULL,
  generated INTEGER NOT NULL, correct INTEGER NOT NULL, tokens INTEGER NOT NULL,
  counted_n INTEGER NOT NULL, counted_sum REAL NOT NULL,
  admitted INTEGER NOT NULL, shipped INTEGER NOT NULL,
  pool_n INTEGER, pool_mean REAL, cause TEXT NOT NULL,
  PRIMARY KEY (step, position)) WITHOUT ROWID;
CREATE TABLE rollouts (
  id INTEGER PRIMARY KEY, step INTEGER NOT NULL, prompt INTEGER NOT NULL,
  seq INTEGER NOT NULL, round INTEGER NOT NULL, tag INTEGER NOT NULL,
  behaviour INTEGER NOT NULL, status TEXT NOT NULL, scoring TEXT NOT NULL,
  reward REAL, correct INTEGER NOT NULL, parsed INTEGER NOT NULL,
  tokens INTEGER NOT NULL, trained INTEGER NOT NULL,
  text TEXT, answer TEXT, reason TEXT);
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
         r.text AS completion, r.reward, r.correct, r.status, r.scoring, r.answer, r.reason,
         r.tokens, d.advantage, r.trained
  FROM rollouts r JOIN prompts p ON p.id = r.prompt
  LEFT JOIN decisions d ON d.step = r.step AND d.rollout = r.id AND d.kind = 'train'
  WHERE r.text IS NOT NULL;
)sql";

}  // namespace allot::testing
