// This machine and this build: `allot doctor`.
#pragma once

#include <string>
#include <vector>

namespace allot {

struct DoctorRow {
  std::string name, value;
  bool ok = true;
};

// Versions, processors, memory, devices, speed of a float matrix product per thread (a measurement
// of about a second), whether `output` can be written, adapters.
std::vector<DoctorRow> doctor(const std::string& output);

std::string doctor_text(const std::vector<DoctorRow>& rows);
std::string doctor_json(const std::vector<DoctorRow>& rows);

}  // namespace allot
