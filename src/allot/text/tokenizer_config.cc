#include "allot/text/tokenizer_config.h"

#include <charconv>

#include <nlohmann/json.hpp>

#include "allot/core/error.h"
#include "allot/text/bpe_model.h"

namespace allot {
namespace {

using nlohmann::json;

class Reader {
 public:
  Reader(const json& config, const std::string& file) : config_(config), file_(file) {}

  // A token is a text, or an object whose `content` is one.
  std::optional<std::string> token(const char* name) const {
    const json* value = find(config_, name);
    if (value != nullptr && value->is_object()) value = find(*value, "content");
    return text(value, name);
  }

  std::optional<std::string> text(const char* name) const {
    return text(find(config_, name), name);
  }

  std::vector<AddedToken> added() const {
    std::vector<AddedToken> tokens;
    const json* all = find(config_, "added_tokens_decoder");
    if (all == nullptr) return tokens;
    if (!all->is_object()) refuse("added_tokens_decoder is no object");
    for (const auto& [id, one] : all->items()) tokens.push_back(added_token(id, one));
    return tokens;
  }

  std::optional<std::string> chat_template() const {
    const json* value = find(config_, "chat_template");
    if (value == nullptr || !value->is_array()) return text(value, "chat_template");
    for (const json& one : *value)
      if (one.is_object() && one.value("name", json()) == "default")
        return text(find(one, "template"), "chat_template");
    refuse("chat_template is a list without one named default");
  }

 private:
  static const json* find(const json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }
  std::optional<std::string> text(const json* value, const char* name) const {
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) refuse(concat(name, " is not a text"));
    return value->get<std::string>();
  }
  AddedToken added_token(const std::string& id, const json& one) const {
    const auto yes = [&](const char* name) {
      const json* value = find(one, name);
      if (value != nullptr && !value->is_boolean())
        refuse(concat("added_tokens_decoder[", id, "].", name, " is neither true nor false"));
      return value != nullptr && value->get<bool>();
    };
    AddedToken token;
    const auto [end, problem] = std::from_chars(id.data(), id.data() + id.size(), token.id);
    if (problem != std::errc() || end != id.data() + id.size() || token.id < 0 ||
        token.id >= BpeModel::kIdLimit || !one.is_object())
      refuse(
          concat("added_tokens_decoder has ", json(id).dump(), "; an id and an object are needed"));
    token.content = text(find(one, "content"), "content").value_or("");
    token.special = yes("special");
    token.single_word = yes("single_word");
    token.lstrip = yes("lstrip");
    token.rstrip = yes("rstrip");
    token.normalized = yes("normalized");
    return token;
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorKind::Model, file_, what, "a file as transformers writes it is needed");
  }

  const json& config_;
  const std::string& file_;
};

}  // namespace

TokenizerConfig read_tokenizer_config(std::string_view text, const std::string& file) {
  const json all = json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (all.is_discarded() || !all.is_object())
    throw Error(ErrorKind::Model, file, "it is not a JSON object; it may be cut off");
  const Reader reader(all, file);
  TokenizerConfig config;
  config.tokenizer_class = reader.text("tokenizer_class").value_or("");
  config.end = reader.token("eos_token");
  config.pad = reader.token("pad_token");
  config.begin = reader.token("bos_token");
  config.added = reader.added();
  config.chat_template = reader.chat_template();
  return config;
}

}  // namespace allot
