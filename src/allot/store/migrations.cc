#include "allot/store/migrations.h"

#include <array>

#include "allot/core/error.h"
#include "allot/store/schema.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

// Version 2: what is known of each prompt, and advantage, tokens and fate of each rollout. What
// version 1 did not store and other columns do not imply (token ids) stays NULL.
constexpr const char* kFrom1 = R"sql(
DROP VIEW completions;
DROP INDEX rollouts_by_step;
ALTER TABLE prompts RENAME TO prompts_1;
ALTER TABLE groups RENAME TO groups_1;
ALTER TABLE rollouts RENAME TO rollouts_1;

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

CREATE TEMP TABLE own AS
  SELECT r.id, min(CASE WHEN d.kind = 'train' THEN d.position END) AS item
  FROM rollouts_1 r JOIN decisions d ON d.rollout = r.id AND d.step = r.step
  WHERE d.kind IN ('train', 'hold') GROUP BY r.id;
CREATE UNIQUE INDEX temp.own_by_id ON own (id);
INSERT INTO rollouts
  SELECT r.id, r.step, r.prompt, r.seq, r.round, r.tag, r.behaviour, r.status, r.scoring, r.reward,
         r.correct, r.parsed, r.tokens, o.id IS NOT NULL, r.trained, d.advantage,
         r.text, NULL, r.answer, r.reason
  FROM rollouts_1 r LEFT JOIN own o ON o.id = r.id
  LEFT JOIN decisions d ON d.step = r.step AND d.position = o.item;
CREATE INDEX rollouts_by_step ON rollouts (step);

CREATE TEMP TABLE first AS
  SELECT step, prompt, count(*) AS trials, sum(correct) AS successes FROM rollouts
  WHERE round = 0 AND scoring = 'scored' GROUP BY step, prompt;
CREATE UNIQUE INDEX temp.first_by_group ON first (step, prompt);
CREATE TEMP TABLE size AS
  SELECT step, prompt, avg(abs(advantage)) AS advantage FROM decisions
  WHERE kind = 'train' GROUP BY step, prompt;
CREATE UNIQUE INDEX temp.size_by_group ON size (step, prompt);
INSERT INTO groups
  SELECT g.step, g.position, g.prompt, g.generated, g.correct, g.tokens,
         coalesce(f.trials, 0), coalesce(f.successes, 0), g.counted_n, g.counted_sum,
         g.admitted, g.shipped, g.pool_n, g.pool_mean, s.advantage, g.cause
  FROM groups_1 g LEFT JOIN first f ON f.step = g.step AND f.prompt = g.prompt
  LEFT JOIN size s ON s.step = g.step AND s.prompt = g.prompt;

INSERT INTO prompts (id, key, text, answer) SELECT id, key, text, answer FROM prompts_1;
UPDATE prompts SET steps = g.steps, rollouts = g.rollouts, correct = g.correct,
    tokens = g.tokens, trials = g.trials, successes = g.successes, shipped = g.shipped,
    first_step = g.first, last_step = g.last,
    last_cause = (SELECT cause FROM groups WHERE prompt = id ORDER BY step DESC LIMIT 1),
    last_advantage = (SELECT advantage FROM groups WHERE prompt = id AND advantage IS NOT NULL
                      ORDER BY step DESC LIMIT 1)
  FROM (SELECT prompt, count(*) AS steps, sum(generated) AS rollouts, sum(correct) AS correct,
               sum(tokens) AS tokens, sum(trials) AS trials, sum(successes) AS successes,
               sum(shipped) AS shipped, min(step) AS first, max(step) AS last
        FROM groups GROUP BY prompt) AS g WHERE g.prompt = id;
DROP TABLE own;
DROP TABLE first;
DROP TABLE size;
DROP TABLE prompts_1;
DROP TABLE groups_1;
DROP TABLE rollouts_1;
)sql";

// Version 3: what is known of a prompt is added up from its groups and no longer kept beside them;
// texts lie in the order of planning.
constexpr const char* kFrom2 = R"sql(
DROP VIEW IF EXISTS completions;
DROP VIEW IF EXISTS ledger;
DROP INDEX groups_by_prompt;
DROP INDEX rollouts_by_step;
ALTER TABLE rollouts ADD COLUMN rewards TEXT;
ALTER TABLE prompts RENAME TO prompts_2;
ALTER TABLE decisions RENAME TO decisions_2;

CREATE TABLE prompt_names (id INTEGER PRIMARY KEY, key TEXT NOT NULL);
CREATE TABLE prompt_texts (
  step INTEGER NOT NULL, prompt INTEGER NOT NULL,
  text TEXT NOT NULL, answer TEXT NOT NULL, token_ids TEXT);
CREATE TABLE decisions (
  step INTEGER NOT NULL, position INTEGER NOT NULL, kind TEXT NOT NULL,
  prompt INTEGER, rollout INTEGER,
  n INTEGER, first_seq INTEGER, tag INTEGER, round INTEGER, temperature REAL, exemplar INTEGER,
  advantage REAL, weight REAL, anchor TEXT);

INSERT INTO prompt_names SELECT id, key FROM prompts_2;
INSERT INTO prompt_texts
  SELECT first_step, id, text, answer, token_ids FROM prompts_2
  WHERE first_step IS NOT NULL ORDER BY first_step;
INSERT INTO decisions SELECT * FROM decisions_2 ORDER BY step, position;
DROP TABLE prompts_2;
DROP TABLE decisions_2;
)sql";

// Entry i turns the tables of version kOldestSchemaVersion + i into those of the next, and drops
// the views.
constexpr std::array<const char*, kSchemaVersion - kOldestSchemaVersion> kMigrations = {kFrom1,
                                                                                        kFrom2};

int known_version(const SqliteConnection& connection, const fs::path& path) {
  const std::int64_t id = connection.integer("PRAGMA application_id");
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (id != kApplicationId)
    throw Error(ErrorKind::Model, path.string(), "the database was not written by allot",
                "choose another run folder");
  if (version < kOldestSchemaVersion || version > kSchemaVersion)
    throw Error(ErrorKind::Model, path.string(),
                concat("schema version ", version, " is unknown here; this build reads versions ",
                       kOldestSchemaVersion, " to ", kSchemaVersion),
                "use the version of allot that wrote the run, or start a new one with --fresh");
  return static_cast<int>(version);
}

}  // namespace

void bring_up_to_date(SqliteConnection& connection, const fs::path& path) {
  SqliteTransaction transaction(connection);
  if (connection.integer("SELECT count(*) FROM sqlite_schema") == 0) {
    connection.execute(concat("PRAGMA application_id = ", kApplicationId));
    connection.execute(concat("PRAGMA user_version = ", kSchemaVersion));
    connection.execute(schema_sql());
  }
  const int found = known_version(connection, path);
  for (int version = found; version < kSchemaVersion; ++version) {
    connection.execute(kMigrations[static_cast<std::size_t>(version - kOldestSchemaVersion)]);
    connection.execute(concat("PRAGMA user_version = ", version + 1));
  }
  if (found < kSchemaVersion) connection.execute(kViews);
  transaction.commit();
}

SqliteConnection open_current_for_reading(const fs::path& path) {
  SqliteConnection connection = SqliteConnection::open_for_reading(path);
  if (known_version(connection, path) == kSchemaVersion) return connection;
  SqliteConnection copy = connection.copy_in_memory();
  bring_up_to_date(copy, path);
  return copy;
}

}  // namespace allot
