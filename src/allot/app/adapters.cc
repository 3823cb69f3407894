#include "allot/app/adapters.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <nlohmann/json.hpp>

#include "allot/app/adapters_file.h"
#include "allot/core/error.h"

namespace allot {
namespace {

using Json = nlohmann::ordered_json;
using TextRow = std::vector<std::string>;

Json declared() { return Json::parse(adapters_file); }

std::vector<Adapter> read_adapters() {
  std::vector<Adapter> read;
  const Json file = declared();
  for (const Json& entry : file.at("adapters")) {
    Adapter adapter{entry.at("host"), entry.at("what"), entry.at("level")};
    for (const auto& [name, tested] : entry.at("packages").items())
      adapter.packages.push_back({name, tested});
    entry.at("primitives").get_to(adapter.primitives);
    entry.at("conditions").get_to(adapter.conditions);
    for (const Json& trial : entry.at("tried"))
      adapter.tried.push_back({trial.at("version"), trial.at("passed"), trial.at("note")});
    read.push_back(std::move(adapter));
  }
  return read;
}

// 1.16.0rc1 -> {1, 16, 0, 0}
std::array<int, 4> release(std::string_view version) {
  std::array<int, 4> numbers = {};
  const char* at = version.data();
  const char* const end = at + version.size();
  for (int& number : numbers) {
    const auto [stopped, error] = std::from_chars(at, end, number);
    if (error != std::errc() || stopped == end || *stopped != '.') break;
    at = stopped + 1;
  }
  return numbers;
}

std::string found_version(const AdapterPackage& package, const InstalledPackages& installed) {
  const auto found = installed.versions.find(package.name);
  return found == installed.versions.end() ? "" : found->second;
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

// Every column but the last as wide as its widest cell.
std::string aligned(const std::vector<TextRow>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const TextRow& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const TextRow& row : rows) {
    std::string line = " ";
    for (std::size_t i = 0; i < row.size(); ++i)
      line += concat(" ", row[i], std::string(widths[i] - row[i].size() + 1, ' '));
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string packages_text(const InstalledPackages& installed) {
  std::vector<TextRow> rows = {{"adapter", "level", "package", "found", "tested", ""}};
  for (const Adapter& adapter : adapters())
    for (const AdapterPackage& package : adapter.packages)
      rows.push_back({adapter.host, adapter.level, package.name,
                      or_dash(found_version(package, installed)), or_dash(package.tested),
                      adapter_verdict(adapter, package, installed)});
  return aligned(rows);
}

std::string served(const Adapter& adapter, const std::string& primitive) {
  const std::vector<std::string>& all = adapter.primitives;
  if (std::find(all.begin(), all.end(), primitive) == all.end()) return "no";
  return adapter.conditions.count(primitive) > 0 ? "if" : "yes";
}

std::string capabilities_text() {
  std::vector<TextRow> rows = {{"", "a trainer can"}};
  for (const Adapter& adapter : adapters()) rows.front().push_back(adapter.host);
  for (const auto& [primitive, meaning] : primitives()) {
    TextRow row = {primitive, meaning};
    for (const Adapter& adapter : adapters()) row.push_back(served(adapter, primitive));
    rows.push_back(std::move(row));
  }
  std::string text = aligned(rows);
  for (const Adapter& adapter : adapters())
    for (const auto& [primitive, condition] : adapter.conditions)
      text += concat("  ", adapter.host, " ", primitive, " if: ", condition, "\n");
  return text;
}

}  // namespace

const std::map<std::string, std::string>& primitives() {
  static const auto all = declared().at("primitives").get<std::map<std::string, std::string>>();
  return all;
}

const std::vector<Adapter>& adapters() {
  static const std::vector<Adapter> all = read_adapters();
  return all;
}

std::vector<std::string> adapter_packages() {
  std::vector<std::string> names;
  for (const Adapter& adapter : adapters())
    for (const AdapterPackage& package : adapter.packages)
      if (std::find(names.begin(), names.end(), package.name) == names.end())
        names.push_back(package.name);
  return names;
}

bool version_in_range(std::string_view version, std::string_view range) {
  if (version.empty() || version.front() < '0' || version.front() > '9') return false;
  while (!range.empty()) {
    const std::size_t comma = std::min(range.find(','), range.size());
    const std::string_view bound = range.substr(0, comma);
    const std::size_t digit = std::min(bound.find_first_of("0123456789"), bound.size());
    const auto limit = release(bound.substr(digit));
    if (bound.substr(0, digit) == ">=" ? release(version) < limit : release(version) >= limit)
      return false;
    range.remove_prefix(std::min(comma + 1, range.size()));
  }
  return true;
}

std::string adapter_verdict(const Adapter& adapter, const AdapterPackage& package,
                            const InstalledPackages& installed) {
  if (adapter.level == "none") return "not part of this version";
  if (installed.python.empty()) return "not looked for";
  const std::string version = found_version(package, installed);
  if (version.empty()) return "not installed";
  return version_in_range(version, package.tested) ? "ok" : "outside the tested range";
}

std::string adapters_text(const InstalledPackages& installed) {
  std::string text = packages_text(installed);
  for (const Adapter& adapter : adapters()) {
    std::string tried;
    for (const AdapterTrial& trial : adapter.tried)
      tried +=
          concat(tried.empty() ? " " : ", ", trial.version, trial.passed ? " passed" : " failed");
    if (!tried.empty()) text += concat("  ", adapter.host, " tried:", tried, "\n");
  }
  return concat(text, "\n", capabilities_text());
}

std::string adapters_json(const InstalledPackages& installed) {
  Json list = Json::array();
  for (const Adapter& adapter : adapters()) {
    Json packages = Json::array(), tried = Json::array();
    for (const AdapterPackage& package : adapter.packages) {
      const std::string version = found_version(package, installed);
      packages.push_back({{"name", package.name},
                          {"found", version.empty() ? Json() : Json(version)},
                          {"tested", package.tested},
                          {"verdict", adapter_verdict(adapter, package, installed)}});
    }
    for (const AdapterTrial& trial : adapter.tried)
      tried.push_back({{"version", trial.version}, {"passed", trial.passed}, {"note", trial.note}});
    list.push_back({{"host", adapter.host},
                    {"what", adapter.what},
                    {"level", adapter.level},
                    {"primitives", adapter.primitives},
                    {"conditions", adapter.conditions},
                    {"packages", std::move(packages)},
                    {"tried", std::move(tried)}});
  }
  return list.dump();
}

}  // namespace allot
