// The pages of docs/methods/ agree with the declarations: one page per method, and the tables
// between markers are those the program prints. With ALLOT_UPDATE_DOCS=1 in the environment stale
// tables are rewritten instead.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "allot/methods/pairs.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

std::string path_of(const std::string& page) {
  return std::string(ALLOT_SOURCE_DIR) + "/docs/methods/" + page + ".md";
}

std::string page_text(const std::string& page) {
  std::ifstream in(path_of(page));
  EXPECT_TRUE(in) << path_of(page) << " is missing";
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The text between <!-- marker:begin --> and <!-- marker:end -->.
void expect_between(const std::string& page, const std::string& marker, const std::string& table) {
  const std::string begin = "<!-- " + marker + ":begin -->\n", end = "<!-- " + marker + ":end -->";
  std::string text = page_text(page);
  const std::size_t first = text.find(begin);
  const std::size_t last = text.find(end);
  ASSERT_TRUE(first != std::string::npos && last != std::string::npos && first < last)
      << path_of(page) << " needs the lines " << begin << "and " << end;
  const std::size_t start = first + begin.size();
  if (std::getenv("ALLOT_UPDATE_DOCS")) {
    text.replace(start, last - start, table);
    std::ofstream(path_of(page)) << text;
    return;
  }
  EXPECT_EQ(text.substr(start, last - start), table)
      << path_of(page) << " is stale; run this test with ALLOT_UPDATE_DOCS=1";
}

TEST(MethodDocs, EveryMethodHasAPageWithItsOptions) {
  for (const MethodInfo& info : methods()) {
    AllocOptions alloc;
    expect_between(info.name, "options", method_options(alloc, info.name).docs_table());
    const std::string text = page_text(info.name);
    const std::size_t arxiv = info.paper.find("arXiv");
    if (arxiv != std::string::npos) {
      EXPECT_NE(text.find(info.paper.substr(arxiv)), std::string::npos) << info.name;
    }
    for (const char* part : {"## Idea", "## Options", "## What differs from the paper",
                             "## When to use it", "## Citation"})
      EXPECT_NE(text.find(part), std::string::npos) << info.name << " lacks '" << part << "'";
  }
}

TEST(MethodDocs, TheOverviewListsMethodsAndSharedOptions) {
  std::string table =
      "| method | what it does | paper | needs from the host |\n|---|---|---|---|\n";
  for (const MethodInfo& info : methods())
    table += "| [`" + info.name + "`](" + info.name + ".md) | " + info.summary + " | " +
             info.paper + " | " + needs_text(default_needs(info.name)) + " |\n";
  expect_between("README", "methods", table);

  std::string pairs =
      "| first: chooses the prompts | second: acts inside their groups |\n|---|---|\n|";
  for (const Role role : {Role::Chooser, Role::InGroup}) {
    std::string names;
    for (const std::string& name : names_with(role))
      names += (names.empty() ? " `" : ", `") + name + "`";
    pairs += names + " |";
  }
  expect_between("README", "combinations", pairs + "\n");

  AllocOptions alloc;
  alloc.sections.clear();  // the methods' own options stand on their pages
  AdvantageOptions adv;
  OptionList shared = OptionList::of(alloc, "alloc");
  shared.add(adv, "adv");
  expect_between("README", "options", shared.docs_table());
}

}  // namespace
}  // namespace allot
