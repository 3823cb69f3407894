#include "allot/tasks/data_file.h"

#include <string_view>
#include <vector>

#include "allot/core/error.h"
#include "allot/core/utf8.h"
#include "allot/tasks/scored_verifier.h"

namespace allot {
namespace {

constexpr std::size_t kLongestRow = 64 << 20;
constexpr int kEnd = std::char_traits<char>::eof();

// Characters of a file with the line they stand on.
class Reader {
 public:
  Reader(std::istream& in, const std::string& name) : in_(*in.rdbuf()), name_(name) {
    constexpr std::string_view kMark = "\xEF\xBB\xBF";
    for (const char c : kMark) {
      if (in_.sgetc() != static_cast<unsigned char>(c)) break;
      in_.sbumpc();
      ++offset_;
    }
  }
  int peek() { return in_.sgetc(); }
  int next() {
    const int c = in_.sbumpc();
    line_ += c == '\n';
    offset_ += c != kEnd;
    return c;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n') next();
  }
  std::size_t line() const { return line_; }
  std::uint64_t offset() const { return offset_; }
  [[noreturn]] void fail(std::size_t line, std::string_view what) const {
    throw Error(ErrorKind::Data, concat(name_, ":", line), what, kExampleRow);
  }
  // Adds a character to a row's text.
  void append(std::string& row, int c, std::size_t begun) const {
    if (row.size() == kLongestRow)
      fail(begun, concat("the row has more than ", kLongestRow, " bytes"));
    row += static_cast<char>(c);
  }

 private:
  std::streambuf& in_;
  const std::string& name_;
  std::size_t line_ = 1;
  std::uint64_t offset_ = 0;
};

void pass(const Reader& reader, std::string_view text, RowPlace place, const RowSink& sink) {
  ParsedRow parsed = parse_row(text);
  if (!parsed.problem.empty()) reader.fail(place.line, parsed.problem);
  place.bytes = text.size();
  sink(parsed.row, place);
}

void read_lines(Reader& reader, const RowSink& sink) {
  std::string row;
  while (reader.peek() != kEnd) {
    const RowPlace place{reader.line(), reader.offset()};
    row.clear();
    for (int c = reader.next(); c != kEnd && c != '\n'; c = reader.next())
      reader.append(row, c, place.line);
    if (!trimmed(row).empty()) pass(reader, row, place, sink);
  }
}

// The text of one element of a list: up to the comma or bracket that ends it.
std::string element(Reader& reader, std::size_t begun) {
  std::string row;
  bool in_text = false;
  for (std::size_t depth = 0;;) {
    const int c = reader.peek();
    if (c == kEnd) reader.fail(begun, "the row is cut off: the file ends in it");
    if (!in_text && depth == 0 && (c == ',' || c == ']')) return row;
    reader.append(row, reader.next(), begun);
    if (in_text) {
      if (c == '\\' && reader.peek() != kEnd) reader.append(row, reader.next(), begun);
      in_text = c != '"';
    } else {
      in_text = c == '"';
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && depth > 0) --depth;
    }
  }
}

void read_list(Reader& reader, const RowSink& sink) {
  reader.next();  // [
  reader.skip_space();
  while (reader.peek() != ']') {
    const RowPlace place{reader.line(), reader.offset()};
    pass(reader, element(reader, place.line), place, sink);
    if (reader.peek() != ',') continue;
    reader.next();
    reader.skip_space();
    if (reader.peek() == ']') reader.fail(reader.line(), "a row is missing after the comma");
  }
  reader.next();
  reader.skip_space();
  if (reader.peek() != kEnd) reader.fail(reader.line(), "there is more after the end of the list");
}

// One record; the fields of an empty line are one empty text.
std::vector<std::string> record(Reader& reader, char separator) {
  const std::size_t begun = reader.line();
  std::vector<std::string> fields(1);
  for (;;) {
    const int c = reader.next();
    if (c == kEnd || c == '\n') break;
    if (c == separator) {
      fields.emplace_back();
    } else if (c == '"' && fields.back().empty()) {
      for (;;) {
        const int quoted = reader.next();
        if (quoted == kEnd) reader.fail(begun, "a quote is not closed before the end of the file");
        if (quoted != '"') {
          reader.append(fields.back(), quoted, begun);
        } else if (reader.peek() == '"') {
          reader.append(fields.back(), reader.next(), begun);
        } else {
          break;
        }
      }
      const int after = reader.peek();
      if (after != kEnd && after != separator && after != '\r' && after != '\n')
        reader.fail(begun, "text stands behind a closing quote");
    } else if (c != '\r' || reader.peek() != '\n') {
      reader.append(fields.back(), c, begun);
    }
  }
  return fields;
}

void read_csv(Reader& reader, char separator, const RowSink& sink) {
  const std::vector<std::string> header = record(reader, separator);
  while (reader.peek() != kEnd) {
    RowPlace place{reader.line(), reader.offset()};
    std::vector<std::string> fields = record(reader, separator);
    place.bytes = reader.offset() - place.offset;
    if (fields.size() == 1 && trimmed(fields[0]).empty() && header.size() > 1) continue;
    if (fields.size() != header.size())
      reader.fail(place.line,
                  concat("the row has ", fields.size(), " fields; the header has ", header.size()));
    Cell row{Cell::Kind::Object};
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (valid_utf8_prefix(fields[i]) != fields[i].size())
        reader.fail(place.line, concat("the column '", header[i], "' is not valid UTF-8"));
      if (row.find(header[i]) != nullptr)
        reader.fail(1, concat("the column '", header[i], "' stands twice"));
      row.fields.push_back({header[i], Cell{Cell::Kind::Text, std::move(fields[i])}});
    }
    sink(row, place);
  }
}

}  // namespace

const char* name(DataFormat format) {
  switch (format) {
    case DataFormat::JsonLines:
      return "JSON lines";
    case DataFormat::JsonList:
      return "a JSON list";
    case DataFormat::Csv:
      return "CSV";
  }
  return "?";
}

bool is_csv(const std::string& name) { return name.ends_with(".csv") || name.ends_with(".tsv"); }

DataFormat read_rows(std::istream& in, const std::string& name, const RowSink& sink) try {
  Reader reader(in, name);
  if (is_csv(name)) {
    read_csv(reader, name.ends_with(".csv") ? ',' : '\t', sink);
    return DataFormat::Csv;
  }
  reader.skip_space();
  if (reader.peek() == '[') {
    read_list(reader, sink);
    return DataFormat::JsonList;
  }
  read_lines(reader, sink);
  return DataFormat::JsonLines;
} catch (const std::ios_base::failure&) {  // of the buffer, which the stream would have kept quiet
  throw Error(ErrorKind::Data, name, "reading failed before the end of the file");
}

}  // namespace allot
