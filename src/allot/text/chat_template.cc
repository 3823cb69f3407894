#include "allot/text/chat_template.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "allot/core/error.h"
#include "allot/core/utf8.h"
#include "allot/text/chat/parser.h"

namespace allot {
namespace {

using chat::Arguments;
using chat::Fields;
using chat::Function;
using chat::List;
using chat::Namespace;
using chat::None;
using chat::Value;

constexpr std::size_t kLongestSource = 1 << 20;

const std::string& only_text(const Arguments& arguments, std::string_view who) {
  if (arguments.positional.size() != 1 || !arguments.named.empty() ||
      arguments.positional[0].text() == nullptr)
    chat::fail(who, " needs one text");
  return *arguments.positional[0].text();
}

Value namespace_of(const Arguments& arguments) {
  if (!arguments.positional.empty()) chat::fail("namespace takes named arguments only");
  return Namespace{std::make_shared<Fields>(arguments.named)};
}

Value range_of(const Arguments& arguments) {
  const List& given = arguments.positional;
  std::array<std::int64_t, 3> bounds = {0, 0, 1};
  if (given.empty() || given.size() > 3 || !arguments.named.empty())
    chat::fail("range takes one to three numbers");
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto* number = given[i].get<std::int64_t>();
    if (number == nullptr) chat::fail("range was given ", given[i].kind());
    bounds[given.size() == 1 ? 1 : i] = *number;
  }
  const auto [begin, end, step] = bounds;
  if (step == 0) chat::fail("the step of range is 0");
  constexpr std::int64_t kMost = 100'000;  // as Jinja's sandbox
  if (std::max({std::abs(begin), std::abs(end), std::abs(step)}) > (std::int64_t{1} << 60))
    chat::fail("a bound of range is too large");
  List all;
  for (std::int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
    if (all.size() == kMost) chat::fail("range has more than ", kMost, " numbers");
    all.emplace_back(i);
  }
  return all;
}

Value time_text(const std::tm& now, const std::string& format) {
  // Single letters whose meaning does not depend on where the program runs.
  for (std::size_t i = 0; i < format.size(); ++i)
    if (format[i] == '%' &&
        (++i == format.size() ||
         std::string_view("aAbBdeHIjmMpSyY%").find(format[i]) == std::string_view::npos))
      chat::fail("strftime_now does not know all of '", format, "'");
  std::array<char, 256> text{};
  if (format.size() > 60) chat::fail("the format of strftime_now is too long");
  return std::string(text.data(), std::strftime(text.data(), text.size(), format.c_str(), &now));
}

chat::Run::Names globals(std::span<const ChatMessage> messages, const ChatOptions& options) {
  List all;
  for (const ChatMessage& message : messages)
    all.emplace_back(
        Fields{{"role", std::string(message.role)}, {"content", std::string(message.content)}});
  chat::Run::Names names;
  names["messages"] = std::move(all);
  names["add_generation_prompt"] = options.add_generation_prompt;
  names["bos_token"] = options.begin_token;
  names["eos_token"] = options.end_token;
  names["tools"] = None{};
  names["documents"] = None{};
  for (const auto& [name, on] : options.switches) names[name] = on;
  names["namespace"] = Function{namespace_of};
  names["range"] = Function{range_of};
  names["raise_exception"] = Function{[](const Arguments& arguments) -> Value {
    chat::fail("the template says: ", only_text(arguments, "raise_exception"));
  }};
  if (options.now)
    names["strftime_now"] = Function{[now = *options.now](const Arguments& arguments) {
      return time_text(now, only_text(arguments, "strftime_now"));
    }};
  return names;
}

}  // namespace

struct ChatTemplate::Parsed {
  std::string file;
  chat::Block block;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string file) {
  if (source.size() > kLongestSource || valid_utf8_prefix(source) != source.size())
    throw Error(
        ErrorKind::Model, file,
        concat("the chat template is no valid UTF-8 of at most ", kLongestSource, " bytes"));
  chat::Block block = chat::parse_template(source, file);
  parsed_ = std::make_unique<const Parsed>(Parsed{std::move(file), std::move(block)});
}

ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

std::string ChatTemplate::render(std::span<const ChatMessage> messages,
                                 const ChatOptions& options) const {
  chat::Run run(globals(messages, options));
  try {
    chat::run_block(parsed_->block, run);
    return run.take();
  } catch (const chat::Failure& failure) {
    throw Error(ErrorKind::Data, concat(parsed_->file, ":", run.line),
                concat("chat template: ", failure.what));
  }
}

}  // namespace allot
