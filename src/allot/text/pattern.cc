#include "allot/text/pattern.h"

#include <array>

#include <pcre2.h>

#include "allot/core/error.h"

namespace allot {
namespace {

constexpr std::uint32_t kSteps = 1'000'000;  // of one search
constexpr std::size_t kLongest = 1 << 14;    // bytes of an expression
// White_Space of Unicode, as members of a class.
constexpr const char* kSpaces = "\\t-\\r\\x{85}\\p{Z}";

[[noreturn]] void refuse(std::string_view regex, std::size_t at, std::string_view what) {
  throw Error(ErrorKind::Model, "tokenizer pattern",
              concat(what, " at byte ", at, " of ", regex.substr(0, 200)),
              "only the expressions of known byte-level tokenizers are supported");
}

// Goes through an expression once and writes it down for PCRE2.
class Translation {
 public:
  explicit Translation(std::string_view regex) : regex_(regex) {}

  std::string run() {
    if (regex_.empty() || regex_.size() > kLongest)
      refuse(regex_, 0, concat("an expression of 1 to ", kLongest, " bytes is needed"));
    while (at_ < regex_.size()) step();
    if (in_class_) refuse(regex_, at_, "a class is not closed");
    return out_;
  }

 private:
  void step() {
    const char c = regex_[at_];
    if (c == '\0') refuse(regex_, at_, "a zero byte is not supported");
    if (c == '\\') return escape();
    if (in_class_) return class_member(c);
    if (c == '^' || c == '$') refuse(regex_, at_, concat("the anchor ", c, " is not supported"));
    if (c == '[') {
      in_class_ = true;
      out_ += c;
      ++at_;
      if (regex_.substr(at_).starts_with('^')) out_ += regex_[at_++];
      if (regex_.substr(at_).starts_with(']')) refuse(regex_, at_, "an empty class");
      return;
    }
    if (c == '(') check_group();
    out_ += c;
    ++at_;
  }

  void class_member(char c) {
    if (c == '[' || regex_.substr(at_).starts_with("&&"))
      refuse(regex_, at_, "a class inside of a class is not supported");
    if (c == ']') in_class_ = false;
    out_ += c;
    ++at_;
  }

  void check_group() const {
    if (!regex_.substr(at_).starts_with("(?")) {
      if (regex_.substr(at_).starts_with("(*")) refuse(regex_, at_, "(* is not supported");
      return;
    }
    for (const char* opening : {"(?:", "(?i:", "(?=", "(?!", "(?<!", "(?<=", "(?>"})
      if (regex_.substr(at_).starts_with(opening)) return;
    refuse(regex_, at_, concat("the group ", regex_.substr(at_, 4), " is not supported"));
  }

  void escape() {
    if (at_ + 1 == regex_.size()) refuse(regex_, at_, "a backslash at the end");
    const char c = regex_[at_ + 1];
    if (c == 's') {
      out_ += in_class_ ? kSpaces : concat('[', kSpaces, ']');
    } else if (c == 'S' && !in_class_) {
      out_ += concat("[^", kSpaces, ']');
    } else if (c == 'p' || c == 'P') {
      return property();
    } else if (std::string_view("rntd").find(c) != std::string_view::npos ||
               (static_cast<unsigned char>(c) < 0x80 && std::ispunct(c) != 0)) {
      out_ += regex_.substr(at_, 2);
    } else {
      refuse(regex_, at_, concat("\\", c, in_class_ ? " in a class" : "", " is not supported"));
    }
    at_ += 2;
  }

  void property() {
    const std::size_t close = regex_.find('}', at_);
    if (regex_.substr(at_ + 2, 1) != "{" || close == std::string_view::npos)
      refuse(regex_, at_, "a property is written \\p{..}");
    out_ += regex_.substr(at_, close + 1 - at_);
    at_ = close + 1;
  }

  std::string_view regex_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  std::string out_;
};

}  // namespace

std::string to_pcre2(std::string_view regex) { return Translation(regex).run(); }

struct Pattern::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

std::shared_ptr<const Pattern::Code> Pattern::compile(const std::string& translated,
                                                      std::string_view regex) {
  int problem = 0;
  PCRE2_SIZE at = 0;
  auto code = std::make_shared<Code>();
  code->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE,
                    &problem, &at, nullptr);
  if (code->code == nullptr) {
    std::array<PCRE2_UCHAR, 200> text{};
    pcre2_get_error_message(problem, text.data(), text.size());
    refuse(regex, at, reinterpret_cast<const char*>(text.data()));
  }
  // Where the processor has no compiler the search is interpreted, with the same results.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  return code;
}

Pattern::Pattern(std::string_view regex) : code_(compile(to_pcre2(regex), regex)) {}

Pattern Pattern::literal(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x80 && std::ispunct(c) != 0) quoted += '\\';
    quoted += c;
  }
  if (quoted.empty()) refuse(text, 0, "an empty text cannot be searched for");
  return Pattern(compile(quoted, text));
}

struct PatternSearch::Memory {
  const pcre2_code* code = nullptr;
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
  ~Memory() {
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
  }
};

PatternSearch::PatternSearch(const Pattern& pattern) : memory_(std::make_unique<Memory>()) {
  memory_->code = pattern.code_->code;
  memory_->data = pcre2_match_data_create_from_pattern(memory_->code, nullptr);
  memory_->context = pcre2_match_context_create(nullptr);
  pcre2_set_match_limit(memory_->context, kSteps);
}

PatternSearch::PatternSearch(PatternSearch&&) noexcept = default;
PatternSearch::~PatternSearch() = default;

bool PatternSearch::find(std::string_view text, std::size_t from, Match& match) {
  const int found =
      pcre2_match(memory_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                  PCRE2_NO_UTF_CHECK, memory_->data, memory_->context);
  if (found == PCRE2_ERROR_NOMATCH) return false;
  if (found < 0)
    throw Error(ErrorKind::Data, "tokenizer pattern",
                concat("the search was given up after ", kSteps, " steps at byte ", from,
                       " of a text of ", text.size(), " bytes"));
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(memory_->data);
  match = {ends[0], ends[1]};
  return true;
}

}  // namespace allot
