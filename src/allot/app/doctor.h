// This machine and this build: `allot doctor`.
#pragma once

#include <string>
#include <vector>

#include "allot/app/adapters.h"

namespace allot {

struct DoctorRow {
  std::string name, value;
  bool ok = true;
};

// Versions, processors, memory, devices, speed of a float matrix product per thread (a measurement
// of about a second), whether `output` can be written.
std::vector<DoctorRow> doctor(const std::string& output);

// The rows, then the table of adapters over what a Python interpreter has installed.
std::string doctor_text(const std::vector<DoctorRow>& rows, const InstalledPackages& installed);
std::string doctor_json(const std::vector<DoctorRow>& rows, const InstalledPackages& installed);

}  // namespace allot
