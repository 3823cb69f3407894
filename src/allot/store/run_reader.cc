#include "allot/store/run_reader.h"

#include <charconv>
#include <limits>
#include <system_error>
#include <type_traits>

#include <nlohmann/json.hpp>

#include "allot/core/durable_file.h"
#include "allot/core/error.h"
#include "allot/store/migrations.h"
#include "allot/store/schema.h"
#include "allot/store/sqlite.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

SqliteConnection open_run(const fs::path& run) {
  std::error_code ignored;
  const fs::path path = run / "run.sqlite";
  if (!fs::is_regular_file(path, ignored))
    throw Error(ErrorKind::Model, run.string(), "there is no run here: it has no run.sqlite",
                "name a folder that 'allot train' or 'allot compare' wrote");
  return open_current_for_reading(path);
}

RunTotals totals_at(const SqliteStatement& row, int column) {
  RunTotals totals;
  RunTotals::columns([&](const char*, auto member) {
    auto& value = totals.*member;
    if constexpr (std::is_floating_point_v<std::remove_reference_t<decltype(value)>>)
      value = row.real(column++);
    else
      value = row.count(column++);
  });
  return totals;
}

std::string text_or_empty(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) ? read_file(path) : std::string();
}

}  // namespace

struct RunReader::Parts {
  explicit Parts(const fs::path& path) : path(path), connection(open_run(path)) {}
  fs::path path;
  SqliteConnection connection;
};

RunReader::RunReader(const RunFolderPath& path) : parts_(std::make_unique<Parts>(path)) {}
RunReader::~RunReader() = default;
RunReader::RunReader(RunReader&&) noexcept = default;

const RunFolderPath& RunReader::path() const { return parts_->path; }

RunFacts RunReader::facts() const {
  RunFacts facts;
  SqliteStatement rows = parts_->connection.prepare("SELECT key, value FROM run");
  while (rows.next()) facts[rows.text(0)] = rows.text(1);
  return facts;
}

std::string RunReader::fact(std::string_view key) const {
  SqliteStatement row = parts_->connection.prepare("SELECT value FROM run WHERE key = ?");
  row.start(key);
  return row.next() ? row.text(0) : std::string();
}

RunStatus RunReader::status() const {
  const std::string text = fact("status");
  for (const RunStatus status : {RunStatus::Interrupted, RunStatus::Stopped, RunStatus::Finished})
    if (text == name(status)) return status;
  return RunStatus::Running;
}

std::vector<StepRow> RunReader::steps() const {
  std::vector<StepRow> steps;
  SqliteStatement rows = parts_->connection.prepare(
      concat("SELECT step, updated, ", totals_names(), " FROM steps ORDER BY step"));
  while (rows.next()) steps.push_back({rows.count(0), rows.integer(1) != 0, totals_at(rows, 2)});
  return steps;
}

std::vector<EvaluationRow> RunReader::evaluations(std::string_view set) const {
  std::vector<EvaluationRow> evaluations;
  SqliteStatement rows = parts_->connection.prepare(concat(
      "SELECT step, name, prompts, group_size, pass_at_1, pass_at_k, mean_reward, mean_tokens, "
      "truncated_share, no_answer_share, complete, ",
      totals_names(), " FROM evaluations WHERE name = ? ORDER BY step"));
  rows.start(set);
  while (rows.next()) {
    EvaluationRow row;
    row.step = rows.count(0);
    row.set = rows.text(1);
    row.prompts = rows.count(2);
    row.group_size = static_cast<std::uint32_t>(rows.integer(3));
    row.pass_at_1 = rows.real(4);
    const auto shares = nlohmann::json::parse(rows.text(5), nullptr, false);
    if (shares.is_object())
      for (const auto& [key, share] : shares.items()) {
        int k = 0;
        const auto [end, status] = std::from_chars(key.data(), key.data() + key.size(), k);
        if (status == std::errc() && share.is_number()) row.pass_at_k[k] = share.get<double>();
      }
    row.mean_reward = rows.real(6);
    row.mean_tokens = rows.real(7);
    row.truncated_share = rows.real(8);
    row.no_answer_share = rows.real(9);
    row.complete = rows.integer(10) != 0;
    row.totals = totals_at(rows, 11);
    evaluations.push_back(std::move(row));
  }
  return evaluations;
}

std::vector<std::string> RunReader::evaluation_sets() const {
  std::vector<std::string> names;
  SqliteStatement rows =
      parts_->connection.prepare("SELECT DISTINCT name FROM evaluations ORDER BY name");
  while (rows.next()) names.push_back(rows.text(0));
  return names;
}

std::vector<MetricPoint> RunReader::series(std::string_view metric) const {
  std::vector<MetricPoint> points;
  SqliteStatement rows =
      parts_->connection.prepare("SELECT step, value FROM metrics WHERE name = ? ORDER BY step");
  rows.start(metric);
  while (rows.next())
    points.push_back(
        {rows.count(0), rows.is_null(1) ? std::numeric_limits<double>::quiet_NaN() : rows.real(1)});
  return points;
}

std::vector<std::string> RunReader::metric_names() const {
  std::vector<std::string> names;
  SqliteStatement rows =
      parts_->connection.prepare("SELECT DISTINCT name FROM metrics ORDER BY name");
  while (rows.next()) names.push_back(rows.text(0));
  return names;
}

RunTotals RunReader::totals() const {
  SqliteStatement row = parts_->connection.prepare(
      concat("SELECT ", totals_names(), " FROM steps ORDER BY step DESC LIMIT 1"));
  return row.next() ? totals_at(row, 0) : RunTotals{};
}

std::map<std::string, std::uint64_t> RunReader::zero_causes() const {
  std::map<std::string, std::uint64_t> causes;
  SqliteStatement rows =
      parts_->connection.prepare("SELECT cause, count(*) FROM groups GROUP BY cause");
  while (rows.next()) causes[rows.text(0)] = rows.count(1);
  return causes;
}

std::map<std::uint32_t, std::uint64_t> RunReader::rollouts_per_prompt() const {
  std::map<std::uint32_t, std::uint64_t> histogram;
  SqliteStatement rows =
      parts_->connection.prepare("SELECT generated, count(*) FROM groups GROUP BY generated");
  while (rows.next()) histogram[static_cast<std::uint32_t>(rows.integer(0))] = rows.count(1);
  return histogram;
}

std::vector<SampleRow> RunReader::samples(std::size_t count) const {
  std::vector<SampleRow> samples;
  if (count == 0) return samples;
  // Every stored text gets a place on [0, count) by its order; the first of each unit is taken.
  SqliteStatement rows = parts_->connection.prepare(
      "WITH numbered AS (SELECT id, (row_number() OVER (ORDER BY id) - 1) * ?1 / "
      "(count(*) OVER ()) AS place FROM rollouts WHERE text IS NOT NULL), "
      "taken AS (SELECT min(id) AS id FROM numbered GROUP BY place) "
      "SELECT r.step, p.key, t.text, t.answer, r.text, r.answer, r.reason, r.reward, r.correct, "
      "r.tokens, r.advantage, r.rewards FROM taken JOIN rollouts r ON r.id = taken.id "
      "JOIN prompt_names p ON p.id = r.prompt LEFT JOIN prompt_texts t ON t.prompt = r.prompt "
      "ORDER BY r.id");
  rows.start(static_cast<std::uint64_t>(count));
  while (rows.next()) {
    SampleRow row;
    row.step = rows.count(0);
    row.prompt_key = rows.text(1);
    row.prompt = rows.text(2);
    row.answer = rows.text(3);
    row.response = rows.text(4);
    row.read_answer = rows.text(5);
    row.reason = rows.text(6);
    row.scored = !rows.is_null(7);
    row.reward = rows.real(7);
    row.correct = rows.integer(8) != 0;
    row.tokens = static_cast<std::uint32_t>(rows.integer(9));
    if (!rows.is_null(10)) row.advantage = rows.real(10);
    row.rewards = function_rewards(rows.text(11));
    samples.push_back(std::move(row));
  }
  return samples;
}

void RunReader::each_completion(const std::function<void(const CompletionRow&)>& visit) const {
  SqliteStatement rows = parts_->connection.prepare(
      "SELECT step, round, tokens, trained, prompt_key, prompt, reference, completion, verdict, "
      "status, answer, reason, reward, advantage, correct, kept, prompt_ids, completion_ids, "
      "rewards "
      "FROM completions ORDER BY step, prompt_key, round, completion");
  const auto number = [&](int column) {
    return rows.is_null(column) ? std::nullopt : std::optional(rows.real(column));
  };
  while (rows.next()) {
    CompletionRow row;
    row.step = rows.count(0), row.round = rows.count(1);
    row.tokens = rows.count(2), row.trained = rows.count(3);
    int column = 4;
    for (std::string* text : {&row.prompt_key, &row.prompt, &row.reference, &row.completion,
                              &row.verdict, &row.status, &row.answer, &row.reason})
      *text = rows.text(column++);
    row.reward = number(12), row.advantage = number(13);
    row.correct = rows.integer(14) != 0, row.kept = rows.integer(15) != 0;
    row.prompt_ids = rows.text(16), row.completion_ids = rows.text(17);
    row.rewards = rows.text(18);
    visit(row);
  }
}

std::vector<EventRow> RunReader::events() const {
  std::vector<EventRow> events;
  SqliteStatement rows = parts_->connection.prepare(
      "SELECT step, severity, code, text FROM events ORDER BY step, rowid");
  while (rows.next()) events.push_back({rows.count(0), rows.text(1), rows.text(2), rows.text(3)});
  return events;
}

std::string RunReader::config() const { return text_or_empty(parts_->path / "config.yaml"); }

std::string RunReader::expanded_config() const {
  return text_or_empty(parts_->path / "config.expanded.yaml");
}

}  // namespace allot
