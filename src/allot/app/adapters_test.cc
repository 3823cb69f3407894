#include "allot/app/adapters.h"

#include <algorithm>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "allot/app/doctor.h"
#include "allot/core/error.h"

namespace allot {
namespace {

const Adapter& adapter(const std::string& host) {
  const auto& all = adapters();
  return *std::find_if(all.begin(), all.end(), [&](const Adapter& a) { return a.host == host; });
}

TEST(Adapters, AreWhatTheFileDeclares) {
  std::vector<std::string> hosts;
  for (const Adapter& one : adapters()) {
    hosts.push_back(one.host);
    EXPECT_FALSE(one.packages.empty()) << one.host;
    for (const std::string& primitive : one.primitives) {
      ASSERT_EQ(primitive.size(), 2u);
      EXPECT_TRUE(primitive >= "P1" && primitive <= "P8") << primitive;
    }
  }
  EXPECT_EQ(hosts, (std::vector<std::string>{"trl", "tinker", "verl"}));
  EXPECT_EQ(adapter("trl").packages.front().name, "trl");
  EXPECT_EQ(adapter("trl").level, "run");
}

TEST(Adapters, AVersionIsInsideItsRangeByTheNumbersOfItsRelease) {
  const std::string range = ">=1.16,<1.17";
  for (const char* inside : {"1.16", "1.16.0", "1.16.12", "1.16.0rc1", "1.16.3+cpu"})
    EXPECT_TRUE(version_in_range(inside, range)) << inside;
  for (const char* outside : {"1.15.9", "1.17", "1.17.0.dev0", "2.0", "0.99", "1", "", "unknown"})
    EXPECT_FALSE(version_in_range(outside, range)) << outside;
  EXPECT_TRUE(version_in_range("2.9.1", ">=2.9"));
  EXPECT_TRUE(version_in_range("2.13.0+cpu", ">=2.11,<2.14"));
  EXPECT_FALSE(version_in_range("2.9.1", ">=2.11,<2.14"));
  EXPECT_TRUE(version_in_range("7", ""));
}

TEST(Adapters, EveryPackageGetsItsVerdict) {
  InstalledPackages here{"/bin/python3", "", {{"trl", "1.16.0"}, {"torch", "1.0"}, {"verl", "9"}}};
  const auto verdict = [&](const std::string& host, const std::string& package) {
    for (const AdapterPackage& one : adapter(host).packages)
      if (one.name == package) return adapter_verdict(adapter(host), one, here);
    return std::string("no such package");
  };
  EXPECT_EQ(verdict("trl", "trl"), "ok");
  EXPECT_EQ(verdict("trl", "torch"), "outside the tested range");
  EXPECT_EQ(verdict("trl", "transformers"), "not installed");
  EXPECT_EQ(verdict("verl", "verl"), "outside the tested range");
  Adapter planned = adapter("verl");
  planned.level = "none";
  EXPECT_EQ(adapter_verdict(planned, planned.packages.front(), here), "not part of this version");
  here.python = "";
  EXPECT_EQ(verdict("trl", "trl"), "not looked for");
}

// The table is read back, and says of every adapter what the file declares.
TEST(Adapters, DoctorShowsWhatEachOfThemServes) {
  const std::string text = adapters_text({});
  std::size_t served = 0;
  for (const auto& [primitive, meaning] : primitives()) {
    const std::size_t begin = text.find(concat("\n  ", primitive, "  ", meaning, " "));
    ASSERT_NE(begin, std::string::npos) << primitive << text;
    const std::size_t cells = begin + 5 + primitive.size() + meaning.size();
    std::istringstream row(text.substr(cells, text.find('\n', cells) - cells));
    for (const Adapter& one : adapters()) {
      const bool declared = std::count(one.primitives.begin(), one.primitives.end(), primitive) > 0;
      const auto condition = one.conditions.find(primitive);
      const bool limited = condition != one.conditions.end();
      std::string cell;
      row >> cell;
      EXPECT_EQ(cell, !declared ? "no" : limited ? "if" : "yes") << one.host << primitive;
      if (limited) {
        EXPECT_NE(text.find(concat(one.host, " ", primitive, " if: ", condition->second, "\n")),
                  std::string::npos);
      }
      served += declared;
    }
  }
  std::size_t listed = 0;
  for (const Adapter& one : adapters()) listed += one.primitives.size();
  EXPECT_EQ(served, listed) << "a primitive without a meaning";
}

TEST(Adapters, DoctorShowsThem) {
  const InstalledPackages here{"/bin/python3", "", {{"trl", "1.15.0"}}};
  const std::vector<DoctorRow> rows = {{"allot", "1"}};
  const std::string text = doctor_text(rows, here);
  EXPECT_NE(text.find("  python  /bin/python3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("1.15.0"), std::string::npos) << text;
  EXPECT_NE(text.find("outside the tested range\n"), std::string::npos) << text;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u) << line;

  const auto json = nlohmann::json::parse(doctor_json(rows, here));
  EXPECT_EQ(json["ok"], true);
  const auto& trl = json["adapters"][0];
  EXPECT_EQ(trl["host"], "trl");
  EXPECT_EQ(trl["packages"][0]["found"], "1.15.0");
  EXPECT_EQ(trl["packages"][1]["found"], nullptr);
  EXPECT_EQ(trl["packages"][1]["verdict"], "not installed");

  const std::string none = doctor_text(rows, {"", "python3: not found", {}});
  EXPECT_NE(none.find("not looked for: python3: not found"), std::string::npos) << none;
}

}  // namespace
}  // namespace allot
