#include "allot/app/yaml_file.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "allot/core/error.h"

namespace allot {
namespace {

// Turns parser events into settings; a tree in between would lose duplicate keys.
class Flattener : public YAML::EventHandler {
 public:
  explicit Flattener(std::string name) : name_(std::move(name)) {}

  std::vector<Setting> take() { return std::move(settings_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    fail(mark, "an anchor was given; plain values are needed");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fail(mark, "an alias was given; plain values are needed");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (levels_.empty()) return;  // an empty document sets nothing
    fail(mark, concat("key '", path(), "' has no value; one is needed"));
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string& value) override {
    if (levels_.empty()) fail(mark, "a single value was given; 'key: value' lines are needed");
    Level& level = levels_.back();
    if (level.is_list) {
      level.list += (level.list.size() > 1 ? ", " : "") + value;
    } else if (!level.key) {
      level.key = value;
      if (value.empty()) fail(mark, "an empty key was given");
    } else {
      add(mark, value);
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    if (levels_.empty() || levels_.back().is_list || !levels_.back().key)
      fail(mark, "a list was given here; 'key: value' lines are needed");
    levels_.push_back({std::nullopt, true, "[", mark});
  }
  void OnSequenceEnd() override {
    const std::string list = levels_.back().list + "]";
    const YAML::Mark mark = levels_.back().mark;
    levels_.pop_back();
    add(mark, list);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    if (!levels_.empty() && (levels_.back().is_list || !levels_.back().key))
      fail(mark, "a mapping was given inside a list; single values are needed");
    levels_.push_back({std::nullopt, false, "", mark});
  }
  void OnMapEnd() override {
    levels_.pop_back();
    if (!levels_.empty()) levels_.back().key.reset();
  }

 private:
  struct Level {
    std::optional<std::string> key;
    bool is_list = false;
    std::string list;
    YAML::Mark mark;
  };

  std::string path() const {
    std::string joined;
    for (const Level& level : levels_)
      if (level.key) joined += (joined.empty() ? "" : ".") + *level.key;
    return joined;
  }
  std::string place(const YAML::Mark& mark) const { return concat(name_, ":", mark.line + 1); }
  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    throw Error(ErrorKind::Config, place(mark), what);
  }
  void add(const YAML::Mark& mark, const std::string& text) {
    const std::string key = path();
    const auto [seen, is_new] = seen_.emplace(key, place(mark));
    if (!is_new)
      fail(mark, concat("key '", key, "' was given twice, first at ", seen->second,
                        "; one value is needed"));
    settings_.push_back({key, text, place(mark)});
    levels_.back().key.reset();
  }

  std::string name_;
  std::vector<Level> levels_;
  std::vector<Setting> settings_;
  std::map<std::string, std::string> seen_;
};

std::string read_whole(const std::string& path, ErrorKind kind, const char* hint) {
  std::error_code ignored;
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path, ignored))
    throw Error(kind, path, "the file was not found or is not a file", hint);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

std::vector<Setting> parse_yaml(std::string_view text, const std::string& name) {
  std::istringstream in{std::string(text)};
  Flattener flattener(name);
  try {
    YAML::Parser parser(in);
    parser.HandleNextDocument(flattener);
  } catch (const YAML::Exception& error) {
    throw Error(ErrorKind::Config, concat(name, ":", error.mark.line + 1),
                concat("not readable as YAML: ", error.msg));
  }
  return flattener.take();
}

std::string read_config_file(const std::string& path) {
  return read_whole(path, ErrorKind::Config, "examples/ has some to start from");
}

std::string read_data_file(const std::string& path) {
  return read_whole(path, ErrorKind::Data, "check the path");
}

}  // namespace allot
