// The adapters to other trainers, as python/allot/adapters.json declares them (the file is copied
// into the program when it is configured), and how what a machine has installed compares.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace allot {

struct AdapterPackage {
  std::string name;
  std::string tested;  // range of versions, ">=1.16,<1.17"; "" where there is none
};

// One version of the host that the adapter's tests were run against.
struct AdapterTrial {
  std::string version;
  bool passed = false;
  std::string note;
};

struct Adapter {
  std::string host;   // "trl"
  std::string what;   // the part of the host that it drives
  std::string level;  // run, unit, recipe; none: not part of this version
  std::vector<AdapterPackage> packages;
  std::vector<std::string> primitives;            // of docs/adapters.md, P1 to P8
  std::map<std::string, std::string> conditions;  // of a primitive served with something alone
  std::vector<AdapterTrial> tried;
};

const std::vector<Adapter>& adapters();

// What a trainer may be able to do, by the name of the primitive: "P1", "choose the prompts .."
const std::map<std::string, std::string>& primitives();

// What a Python interpreter says it has; whoever may start programs asks it.
struct InstalledPackages {
  std::string python;                           // the interpreter asked; "": none, see `why_not`
  std::string why_not;                          // "no python3 on PATH"
  std::map<std::string, std::string> versions;  // by package; left out: not installed
};

// The packages of all adapters, each once.
std::vector<std::string> adapter_packages();

// "ok", "outside the tested range", "not installed", "not looked for", "not part of this version".
std::string adapter_verdict(const Adapter& adapter, const AdapterPackage& package,
                            const InstalledPackages& installed);

// Only the numbers of the release count: 2.13.0+cpu is 2.13.0, and 1.17.0.dev0 is 1.17.0, so that a
// preview of an untested release is not taken for the one before. Bounds are >= and <.
bool version_in_range(std::string_view version, std::string_view range);

// One line per package, aligned, then a table of primitives by adapters with "yes", "no" or, where
// there is a condition, "if"; and the same as a JSON list.
std::string adapters_text(const InstalledPackages& installed);
std::string adapters_json(const InstalledPackages& installed);

}  // namespace allot
