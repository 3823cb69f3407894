#include "allot/app/doctor.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <thread>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "allot/core/error.h"
#include "allot/core/joined.h"
#include "allot/lm/device_facts.h"
#include "allot/methods/registry.h"

namespace allot {
namespace {

namespace fs = std::filesystem;

std::string memory_text() {
  const double bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  return concat(std::lround(bytes / (1 << 30)), " GiB");
}

DoctorRow output_row(const std::string& output) {
  std::error_code error;
  fs::path folder = fs::absolute(output);
  while (!fs::exists(folder, error) && folder.has_relative_path()) folder = folder.parent_path();
  const bool writable = ::access(folder.c_str(), W_OK) == 0;
  const fs::space_info space = fs::space(folder, error);
  const std::uintmax_t free_gib = error ? 0 : space.available >> 30;
  return {"run folders",
          concat(output, writable ? ", writable, " : ", NOT writable, ", free_gib, " GiB free"),
          writable};
}

std::string python_text(const InstalledPackages& installed) {
  return installed.python.empty() ? concat("not looked for: ", installed.why_not)
                                  : installed.python;
}

}  // namespace

std::vector<DoctorRow> doctor(const std::string& output) {
  const lm::DeviceFacts facts = lm::device_facts();
  std::vector<DoctorRow> rows = {
      {"allot", ALLOT_VERSION},
      {"libtorch", facts.torch_version},
      {"processors", concat(std::thread::hardware_concurrency(), ", ", facts.cpu_capability)},
      {"memory", memory_text()},
      {"cuda", facts.cuda_devices > 0 ? concat(facts.cuda_devices, " device(s)") : "none"},
      {"matrix product",
       concat(std::lround(facts.matmul_gflops), " GFLOP/s per thread, ", facts.matmul_path)},
  };
  rows.push_back(output_row(output));
  rows.push_back({"methods", joined(method_names())});
  return rows;
}

std::string doctor_text(const std::vector<DoctorRow>& rows, const InstalledPackages& installed) {
  std::vector<DoctorRow> shown = rows;
  shown.push_back({"python", python_text(installed)});
  std::size_t width = 0;
  for (const DoctorRow& row : shown) width = std::max(width, row.name.size());
  std::string text;
  for (const DoctorRow& row : shown)
    text += concat(row.ok ? "  " : "! ", row.name, std::string(width + 2 - row.name.size(), ' '),
                   row.value, "\n");
  return concat(text, "\n", adapters_text(installed));
}

std::string doctor_json(const std::vector<DoctorRow>& rows, const InstalledPackages& installed) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const DoctorRow& row : rows) object[row.name] = row.value;
  object["python"] = python_text(installed);
  object["adapters"] = nlohmann::ordered_json::parse(adapters_json(installed));
  object["ok"] = std::all_of(rows.begin(), rows.end(), [](const DoctorRow& r) { return r.ok; });
  return object.dump();
}

}  // namespace allot
