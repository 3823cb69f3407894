// The ledger as text, CSV and JSON.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/core/utf8.h"
#include "allot/report/csv.h"
#include "allot/report/ledger.h"
#include "allot/report/number_text.h"

namespace allot {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kVisitsShown = 6;  // latest ones, in a line of the table
constexpr std::size_t kKeyWidth = 44;    // bytes

std::string visit_text(const LedgerVisit& visit) {
  return visit.verdicts == 0 ? "-" : concat(visit.right, "/", visit.verdicts);
}

std::string history_text(const LedgerRow& row, std::size_t limit) {
  const std::size_t first = row.visits.size() - std::min(limit, row.visits.size());
  std::string text = first > 0 ? "..." : "";
  for (std::size_t i = first; i < row.visits.size(); ++i)
    text += (text.empty() ? "" : " ") + visit_text(row.visits[i]);
  return text;
}

// What unanimous verdicts leave open of a dead or a solved prompt.
std::string bound_text(const LedgerRow& row) {
  if (row.state == PromptState::Dead)
    return "below " + percent_text(pass_rate_bound(row.streak.wrong));
  if (row.state == PromptState::Solved)
    return "above " + percent_text(1 - pass_rate_bound(row.streak.right));
  return row.latest_rate() ? percent_text(*row.latest_rate()) : "-";
}

std::string short_key(const std::string& key) {
  if (key.size() <= kKeyWidth) return key;
  return key.substr(0, character_begin(key, kKeyWidth - 3)) + "...";
}

// Control characters of a hostile key would move the cursor or clear the terminal.
std::string printable(std::string text) {
  for (char& letter : text)
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F) letter = '?';
  return text;
}

std::string summary_text(const RunLedger& ledger) {
  const LedgerCounts& c = ledger.counts;
  const std::uint64_t all = c.dead + c.mixed + c.solved + c.unseen;
  std::string text = concat(all, " prompts after ", ledger.steps, " steps: ", c.dead, " dead, ",
                            c.mixed, " mixed, ", c.solved, " solved, ", c.unseen, " unseen\n");
  text += concat(
      "dead or solved: all first-round answers of the latest visits wrong or right, at "
      "least ",
      ledger.least_verdicts, " of them\n");
  std::uint64_t planned = 0;
  for (const std::uint64_t n : ledger.causes) planned += n;
  if (planned == 0) return text;
  const auto share = [&](std::size_t i) {
    return percent_text(static_cast<double>(ledger.causes[i]) / static_cast<double>(planned));
  };
  text += concat("of ", planned, " planned groups ", share(0), " carried a signal");
  for (std::size_t i = 1; i < kZeroCauses; ++i)
    if (ledger.causes[i] > 0) text += concat(", ", name(static_cast<ZeroCause>(i)), " ", share(i));
  return text + "\n";
}

std::string key_text(const LedgerRow& row) {
  std::string text =
      concat("\n", printable(row.key), ": ", name(row.state), "\n", printable(row.text), "\n\n");
  TextTable table;
  table.header = {"step", "right", "verdicts", "rate"};
  for (const LedgerVisit& visit : row.visits)
    table.rows.push_back({concat(visit.step), concat(visit.right), concat(visit.verdicts),
                          visit.verdicts == 0
                              ? "-"
                              : percent_text(static_cast<double>(visit.right) / visit.verdicts)});
  return text + plain_text(table) +
         concat("rollouts ", row.rollouts, ", trained on ", row.trained, ", tokens ", row.tokens,
                ", pass rate ", bound_text(row), "\n");
}

}  // namespace

std::string ledger_text(const RunLedger& ledger, const LedgerFilter& filter, std::size_t limit) {
  const std::vector<const LedgerRow*> rows = filtered(ledger, filter);
  std::string text = summary_text(ledger);
  if (!filter.key.empty()) {
    for (const LedgerRow* row : rows) text += key_text(*row);
    return text;
  }
  TextTable table;
  table.header = {"prompt",  "state",     "pass rate", "visits",        "rollouts",
                  "trained", "last step", "cause",     "right/verdicts"};
  for (const LedgerRow* row : rows) {
    if (table.rows.size() == limit) break;
    table.rows.push_back({short_key(printable(row->key)), name(row->state), bound_text(*row),
                          concat(row->visits.size()), concat(row->rollouts), concat(row->trained),
                          row->visits.empty() ? "-" : concat(row->visits.back().step),
                          row->last_cause == ZeroCause::None ? "-" : name(row->last_cause),
                          history_text(*row, kVisitsShown)});
  }
  if (!table.rows.empty()) text += "\n" + plain_text(table);
  if (rows.size() > table.rows.size())
    text += concat("and ", rows.size() - table.rows.size(), " more; --csv FILE writes all\n");
  return text;
}

std::string ledger_csv(const RunLedger& ledger, const LedgerFilter& filter) {
  TextTable table;
  table.header = {"key",         "state",      "verdicts", "right",   "equal_verdicts",
                  "latest_rate", "visits",     "rollouts", "trained", "tokens",
                  "last_step",   "last_cause", "history"};
  for (const LedgerRow* row : filtered(ledger, filter)) {
    const auto rate = row->latest_rate();
    table.rows.push_back({row->key, name(row->state), concat(row->verdicts), concat(row->right),
                          concat(row->streak.right + row->streak.wrong),
                          rate ? csv_number(*rate) : "", concat(row->visits.size()),
                          concat(row->rollouts), concat(row->trained), concat(row->tokens),
                          row->visits.empty() ? "" : concat(row->visits.back().step),
                          name(row->last_cause), history_text(*row, row->visits.size())});
  }
  return csv_text(table);
}

std::string ledger_json(const RunLedger& ledger, const LedgerFilter& filter) {
  const LedgerCounts& c = ledger.counts;
  ordered_json causes = ordered_json::object();
  for (std::size_t i = 0; i < kZeroCauses; ++i)
    causes[name(static_cast<ZeroCause>(i))] = ledger.causes[i];
  ordered_json prompts = ordered_json::array();
  for (const LedgerRow* row : filtered(ledger, filter)) {
    ordered_json history = ordered_json::array();
    for (const LedgerVisit& visit : row->visits)
      history.push_back({visit.step, visit.right, visit.verdicts});
    const auto rate = row->latest_rate();
    prompts.push_back({{"key", row->key},
                       {"state", name(row->state)},
                       {"verdicts", row->verdicts},
                       {"right", row->right},
                       {"equal_verdicts", row->streak.right + row->streak.wrong},
                       {"latest_rate", rate ? ordered_json(*rate) : ordered_json(nullptr)},
                       {"rollouts", row->rollouts},
                       {"trained", row->trained},
                       {"tokens", row->tokens},
                       {"last_cause", name(row->last_cause)},
                       {"history", std::move(history)}});
  }
  const ordered_json object = {
      {"format", "allot.ledger"},
      {"version", 1},
      {"steps", ledger.steps},
      {"least_verdicts", ledger.least_verdicts},
      {"counts",
       {{"dead", c.dead}, {"mixed", c.mixed}, {"solved", c.solved}, {"unseen", c.unseen}}},
      {"causes", std::move(causes)},
      {"prompts", std::move(prompts)}};
  return object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace allot
