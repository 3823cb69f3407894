// A YAML (or JSON) configuration as a flat list of settings, each with its line.
//
// Nested mappings become dotted keys; "a.b: 1" and "a: {b: 1}" mean the same. A list of scalars
// becomes "[x, y]". Refused with file and line: a key given twice, a list of mappings, anchors, a
// key without a value, text that is not YAML.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace allot {

struct Setting {
  std::string key, text;
  std::string origin;  // "file.yaml:12" or "--set"
};

// Throws Error(Config). `name` is how the text is called in messages.
std::vector<Setting> parse_yaml(std::string_view text, const std::string& name);

// Read a file whole. Throw Error(Config) or Error(Data) if it is missing or not a file.
std::string read_config_file(const std::string& path);
std::string read_data_file(const std::string& path);

}  // namespace allot
