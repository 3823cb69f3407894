#include "allot/tasks/math/commands.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

namespace allot::verify {
namespace {

using K = TokenKind;

// Commands that become one token. `text` is the token's text.
constexpr Name kCommands[] = {
    {"times", K::Times, "*"},
    {"cdot", K::Times, "*"},
    {"ast", K::Times, "*"},
    {"cdotp", K::Times, "*"},
    {"bullet", K::Times, "*"},
    {"div", K::Slash, "/"},
    {"pm", K::PlusMinus, "+-"},
    {"mp", K::MinusPlus, "-+"},
    {"frac", K::Fraction, "frac"},
    {"dfrac", K::Fraction, "frac"},
    {"tfrac", K::Fraction, "frac"},
    {"cfrac", K::Fraction, "frac"},
    {"sfrac", K::Fraction, "frac"},
    {"nicefrac", K::Fraction, "frac"},
    {"sqrt", K::Root, "sqrt"},
    {"cbrt", K::CubeRoot, "cbrt"},
    {"binom", K::Binomial, "binom"},
    {"dbinom", K::Binomial, "binom"},
    {"tbinom", K::Binomial, "binom"},
    {"le", K::Relation, "<="},
    {"leq", K::Relation, "<="},
    {"leqslant", K::Relation, "<="},
    {"ge", K::Relation, ">="},
    {"geq", K::Relation, ">="},
    {"geqslant", K::Relation, ">="},
    {"lt", K::Relation, "<"},
    {"gt", K::Relation, ">"},
    {"ne", K::Relation, "!="},
    {"neq", K::Relation, "!="},
    {"approx", K::Relation, "~="},
    {"simeq", K::Relation, "~="},
    {"mid", K::Relation, ":"},
    {"colon", K::Colon, ":"},
    {"in", K::In, "in"},
    {"cup", K::Cup, "cup"},
    {"cap", K::Cap, "cap"},
    {"setminus", K::SetMinus, "minus"},
    {"backslash", K::SetMinus, "minus"},
    {"infty", K::Infinity, "inf"},
    {"emptyset", K::EmptySet, "{}"},
    {"varnothing", K::EmptySet, "{}"},
    {"circ", K::Degree, "deg"},
    {"degree", K::Degree, "deg"},
    {"degrees", K::Degree, "deg"},
    {"{", K::Open, "set{"},
    {"}", K::Close, "set}"},
    {"lbrace", K::Open, "set{"},
    {"rbrace", K::Close, "set}"},
    {"langle", K::Open, "<"},
    {"rangle", K::Close, ">"},
    {"lfloor", K::Open, "floor"},
    {"rfloor", K::Close, "floor"},
    {"lceil", K::Open, "ceil"},
    {"rceil", K::Close, "ceil"},
    {"lparen", K::Open, "("},
    {"rparen", K::Close, ")"},
    {"lbrack", K::Open, "["},
    {"rbrack", K::Close, "]"},
    {"vert", K::Bar, "|"},
    {"lvert", K::Bar, "|"},
    {"rvert", K::Bar, "|"},
    {"lor", K::Or, "or"},
    {"vee", K::Or, "or"},
    {"land", K::And, "and"},
    {"wedge", K::And, "and"},
    {"%", K::Percent, "%"},
    {"$", K::Currency, "$"},
    {"pounds", K::Currency, "pound"},
    {"euro", K::Currency, "euro"},
    {"yen", K::Currency, "yen"},
    {"rupee", K::Currency, "rupee"},
    {"cents", K::Word, "cents"},
    {"prime", K::Prime, "'"},
    {"ldots", K::Dots, "..."},
    {"dots", K::Dots, "..."},
    {"cdots", K::Dots, "..."},
    {"overline", K::Accent, "overline"},
    {"bar", K::Accent, "overline"},
    {"vec", K::Accent, "vec"},
    {"overrightarrow", K::Accent, "vec"},
    {"hat", K::Accent, "hat"},
    {"widehat", K::Accent, "hat"},
    {"tilde", K::Accent, "tilde"},
    {"dot", K::Accent, "dot"},
    {"angle", K::Accent, "angle"},
    {"triangle", K::Accent, "triangle"},
    {"sum", K::Big, "sum"},
    {"prod", K::Big, "prod"},
    {"int", K::Big, "int"},
    {"lim", K::Big, "lim"},
    {"ell", K::Symbol, "ell"},
    {"imath", K::Symbol, "i"},
    {"hbar", K::Symbol, "hbar"},
    {"partial", K::Symbol, "partial"},
    {"varepsilon", K::Symbol, "epsilon"},
    {"vartheta", K::Symbol, "theta"},
    {"varphi", K::Symbol, "phi"},
    {"varrho", K::Symbol, "rho"},
    {"#", K::Symbol, "#"},
};

constexpr std::string_view kGreek[] = {
    "alpha",   "beta",   "gamma", "delta", "epsilon", "zeta",  "eta",    "theta", "iota",
    "kappa",   "lambda", "mu",    "nu",    "xi",      "pi",    "rho",    "sigma", "tau",
    "upsilon", "phi",    "chi",   "psi",   "omega",   "Gamma", "Delta",  "Theta", "Lambda",
    "Xi",      "Pi",     "Sigma", "Phi",   "Psi",     "Omega", "Upsilon"};

constexpr std::string_view kFunctions[] = {
    "sin",  "cos",  "tan",  "cot",  "sec",  "csc",   "arcsin", "arccos", "arctan",  "arccot",
    "asin", "acos", "atan", "sinh", "cosh", "tanh",  "log",    "ln",     "lg",      "exp",
    "gcd",  "lcm",  "max",  "min",  "abs",  "floor", "ceil",   "det",    "binomial"};

constexpr std::string_view kSkipped[] = {"big",        "Big",
                                         "bigg",       "Bigg",
                                         "bigl",       "bigr",
                                         "Bigl",       "Bigr",
                                         "biggl",      "biggr",
                                         "Biggl",      "Biggr",
                                         "bigm",       "displaystyle",
                                         "textstyle",  "scriptstyle",
                                         "limits",     "nolimits",
                                         "quad",       "qquad",
                                         "enspace",    "thinspace",
                                         "medspace",   "negthinspace",
                                         "mathbf",     "mathit",
                                         "mathsf",     "mathcal",
                                         "mathfrak",   "boldsymbol",
                                         "bm",         "pmb",
                                         "boxed",      "fbox",
                                         "underline",  "!",
                                         ",",          ";",
                                         ":",          ">",
                                         " ",          "(",
                                         ")",          "[",
                                         "]",          "/",
                                         "hfill",      "centering",
                                         "middle",     "allowbreak",
                                         "nobreak",    "therefore",
                                         "ensuremath", "bf",
                                         "rm",         "it",
                                         "em",         "tt",
                                         "small",      "large",
                                         "Large",      "huge"};

constexpr std::string_view kWrappers[] = {
    "text",   "textbf", "textit", "textrm", "textnormal",   "textsf", "texttt",
    "textup", "mbox",   "hbox",   "mathrm", "operatorname", "emph",   "textsc"};

constexpr std::string_view kSkippedWithArgument[] = {"hspace", "vspace",  "color",    "tag",
                                                     "label",  "phantom", "hphantom", "vphantom"};

using Table = std::unordered_map<std::string_view, Command>;

Table make_commands() {
  Table table;
  for (const Name& name : kCommands) table[name.name] = {Handling::Token, name.kind, name.text};
  for (const std::string_view name : kGreek) table[name] = {Handling::Token, K::Symbol, name};
  for (const std::string_view name : kFunctions) table[name] = {Handling::Token, K::Function, name};
  for (const std::string_view name : kSkipped) table[name] = {Handling::Skip, K::Text, ""};
  for (const std::string_view name : kWrappers) table[name] = {Handling::Wrapper, K::Text, ""};
  for (const std::string_view name : kSkippedWithArgument)
    table[name] = {Handling::SkipWithArgument, K::Text, ""};
  table["left"] = table["right"] = {Handling::Delimiter, K::Text, ""};
  return table;
}

Table make_plain() {
  Table table;
  for (const std::string_view name : kGreek) table[name] = {Handling::Token, K::Symbol, name};
  for (const std::string_view name : kFunctions) table[name] = {Handling::Token, K::Function, name};
  constexpr Name kNames[] = {
      {"sqrt", K::Root, "sqrt"},    {"cbrt", K::CubeRoot, "cbrt"}, {"and", K::And, "and"},
      {"or", K::Or, "or"},          {"inf", K::Infinity, "inf"},   {"infinity", K::Infinity, "inf"},
      {"oo", K::Infinity, "inf"},   {"infty", K::Infinity, "inf"}, {"percent", K::Percent, "%"},
      {"pct", K::Percent, "%"},     {"union", K::Cup, "cup"},      {"in", K::In, "in"},
      {"degree", K::Degree, "deg"}, {"degrees", K::Degree, "deg"}, {"U", K::Symbol, "U"},
      {"USD", K::Currency, "$"},    {"EUR", K::Currency, "euro"},  {"Rs", K::Currency, "rupee"}};
  for (const Name& name : kNames) table[name.name] = {Handling::Token, name.kind, name.text};
  return table;
}

// Constant after its construction, which C++ makes safe between threads.
const Table& commands() {
  static const Table table = make_commands();
  return table;
}
const Table& plain() {
  static const Table table = make_plain();
  return table;
}

std::optional<Command> find(const Table& table, std::string_view name) {
  const auto found = table.find(name);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

}  // namespace

std::optional<Command> find_command(std::string_view name) { return find(commands(), name); }
std::optional<Command> find_plain(std::string_view name) { return find(plain(), name); }

std::string_view known_prefix(std::string_view name) {
  constexpr std::string_view kSloppy[] = {"qquad", "quad", "infty", "times", "cdot",
                                          "leq",   "geq",  "le",    "ge",    "pi"};
  for (const std::string_view known : kSloppy)
    if (name.starts_with(known)) return known;
  return {};
}

bool is_function_name(std::string_view name) {
  return std::find(std::begin(kFunctions), std::end(kFunctions), name) != std::end(kFunctions);
}

bool is_common_word(std::string_view word) {
  constexpr std::string_view kWords[] = {
      "yes", "no",  "odd", "all", "any", "not", "is",  "are", "the", "on",  "off", "one", "two",
      "six", "ten", "red", "day", "Yes", "No",  "YES", "NO",  "Odd", "All", "Any", "Not", "up",
      "to",  "of",  "at",  "by",  "it",  "if",  "as",  "an",  "we",  "he",  "she", "his", "her",
      "nan", "NaN", "NAN", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "DNE", "for", "per"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

}  // namespace allot::verify
