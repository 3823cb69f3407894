#include "allot/report/svg.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "allot/core/error.h"
#include "allot/report/html_text.h"
#include "allot/report/number_text.h"
#include "allot/report/text_table.h"

namespace allot {
namespace {

constexpr double kWidth = 440, kLineHeight = 316, kBarHeight = 190;
constexpr double kLeft = 50, kRight = 16, kBottom = 44;
constexpr double kFont = 13, kLegendRow = 20, kLetter = 6.9;  // kLetter: width of an average letter
constexpr const char* kInk = "var(--ink,#1b1f24)";
constexpr const char* kMuted = "var(--muted,#5b6570)";
constexpr const char* kGrid = "var(--grid,#e3e6ea)";

std::string number(double value) {
  std::string text = fixed_text(value, 1);
  if (text.size() > 2 && text.compare(text.size() - 2, 2, ".0") == 0) text.resize(text.size() - 2);
  return text;
}

std::string tick_text(double value, double step, TickFormat format) {
  const double shown = format == TickFormat::Percent ? 100 * value : value;
  const double shown_step = format == TickFormat::Percent ? 100 * step : step;
  if (format == TickFormat::Count && shown_step >= 1) {
    std::string text = count_text(shown);
    // 1.00 M beside 1.50 M reads badly; ticks are round, so zeros behind the point say nothing.
    const auto space = text.find(' ');
    std::string digits = text.substr(0, space);
    if (digits.find('.') != std::string::npos) {
      digits.erase(digits.find_last_not_of('0') + 1);
      if (digits.back() == '.') digits.pop_back();
    }
    return space == std::string::npos ? digits : digits + text.substr(space);
  }
  const int decimals =
      std::clamp(static_cast<int>(std::ceil(-std::log10(shown_step) - 1e-9)), 0, 6);
  return fixed_text(shown, decimals);
}

// The plot area and the two linear maps into it.
struct Frame {
  double left = kLeft, right = kWidth - kRight, top = 0, bottom = 0;
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;

  double x(double v) const { return left + (right - left) * (v - x_low) / (x_high - x_low); }
  double y(double v) const { return bottom - (bottom - top) * (v - y_low) / (y_high - y_low); }
};

std::string text_at(double x, double y, const char* anchor, const char* color,
                    const std::string& text) {
  return concat("<text x=\"", number(x), "\" y=\"", number(y), "\" text-anchor=\"", anchor,
                "\" style=\"fill:", color, "\">", html_escaped(text), "</text>");
}

std::string line_at(double x1, double y1, double x2, double y2, const char* color,
                    const char* more = "") {
  return concat("<line x1=\"", number(x1), "\" y1=\"", number(y1), "\" x2=\"", number(x2),
                "\" y2=\"", number(y2), "\" style=\"stroke:", color, "\"", more, "/>");
}

std::string open_svg(const std::string& title, const std::string& description, double height,
                     std::string_view id) {
  return concat("<svg viewBox=\"0 0 ", number(kWidth), " ", number(height),
                "\" role=\"img\" aria-labelledby=\"", id, "-t ", id, "-d\" font-size=\"",
                number(kFont), "\"><title id=\"", id, "-t\">", html_escaped(title),
                "</title><desc id=\"", id, "-d\">", html_escaped(description), "</desc>");
}

// Ticks, grid, axis and labels. `ticks_x` may be none.
std::string axes(const Frame& frame, const std::vector<double>& ticks_x,
                 const std::vector<double>& ticks_y, TickFormat x_format, TickFormat y_format,
                 const std::string& x_label, const std::string& y_label) {
  std::string out;
  const double y_step = ticks_y.size() > 1 ? ticks_y[1] - ticks_y[0] : 1;
  for (const double tick : ticks_y) {
    const double y = frame.y(tick);
    out += line_at(frame.left, y, frame.right, y, kGrid);
    out += text_at(frame.left - 7, y + 4.5, "end", kMuted, tick_text(tick, y_step, y_format));
  }
  out += line_at(frame.left, frame.bottom, frame.right, frame.bottom, kMuted);
  const double x_step = ticks_x.size() > 1 ? ticks_x[1] - ticks_x[0] : 1;
  for (const double tick : ticks_x) {
    if (tick < frame.x_low || tick > frame.x_high) continue;
    const double x = frame.x(tick);
    out += line_at(x, frame.bottom, x, frame.bottom + 4, kMuted);
    out += text_at(x, frame.bottom + 18, "middle", kMuted, tick_text(tick, x_step, x_format));
  }
  out += text_at((frame.left + frame.right) / 2, frame.bottom + 37, "middle", kInk, x_label);
  out += text_at(2, frame.top - 13, "start", kInk, y_label);
  return out;
}

const char* dash(int color) { return color >= 8 ? ";stroke-dasharray:6 4" : ""; }

// Names with a piece of their line; returns the height used.
double add_legend(std::string& out, const std::vector<SvgSeries>& series) {
  double x = 2, y = 14;
  for (const SvgSeries& s : series) {
    const double width = 30 + kLetter * static_cast<double>(text_width(s.name)) + 14;
    if (x > 2 && x + width > kWidth) {
      x = 2;
      y += kLegendRow;
    }
    out +=
        concat("<line x1=\"", number(x), "\" y1=\"", number(y - 4), "\" x2=\"", number(x + 22),
               "\" y2=\"", number(y - 4),
               "\" style=\"stroke-width:3;stroke:", series_color(s.color), dash(s.color), "\"/>");
    out += text_at(x + 28, y, "start", kInk, s.name);
    x += width;
  }
  return y + 6;
}

std::string band_path(const Frame& frame, const SvgSeries& s) {
  std::string upper, lower;
  for (const BandPoint& p : s.points) {
    if (!p.low || !p.high) return "";
    const auto clipped = [&](double v) {
      return frame.y(std::clamp(v, frame.y_low, frame.y_high));
    };
    upper += concat(upper.empty() ? "M" : "L", number(frame.x(p.x)), " ", number(clipped(*p.high)));
    lower = concat("L", number(frame.x(p.x)), " ", number(clipped(*p.low)), lower);
  }
  if (s.points.size() < 2) return "";
  return concat("<path d=\"", upper, lower,
                "Z\" style=\"stroke:none;fill-opacity:.16;fill:", series_color(s.color), "\"/>");
}

std::string line_path(const Frame& frame, const SvgSeries& s) {
  std::string path, markers;
  for (const BandPoint& p : s.points) {
    const std::string x = number(frame.x(p.x)), y = number(frame.y(p.mean));
    path += concat(path.empty() ? "M" : "L", x, " ", y);
    if (s.markers || s.points.size() == 1)
      markers += concat("<circle cx=\"", x, "\" cy=\"", y, "\" r=\"2.7\"/>");
  }
  std::string out = concat("<path d=\"", path,
                           "\" style=\"fill:none;stroke-width:2;stroke-linejoin:round;stroke:",
                           series_color(s.color), dash(s.color), "\"/>");
  if (!markers.empty())
    out += concat("<g style=\"fill:", series_color(s.color), "\">", markers, "</g>");
  return out;
}

// Lowest and highest value that must be visible: the means, the guide, and the bands as far as
// they do not squeeze the means flat.
void fit_to_data(Frame& frame, const LineChart& chart, std::vector<double>& ticks_y) {
  double low = HUGE_VAL, high = -HUGE_VAL, x_high = 0;
  for (const SvgSeries& s : chart.series) {
    for (const BandPoint& p : s.points) {
      low = std::min(low, p.mean);
      high = std::max(high, p.mean);
      x_high = std::max(x_high, p.x);
    }
  }
  if (chart.mark) {
    low = std::min(low, chart.mark->y);
    high = std::max(high, chart.mark->y);
  }
  if (low > high) low = 0, high = 1;
  if (chart.y_from) low = std::min(low, *chart.y_from);
  const double span = high - low;
  double band_low = low, band_high = high;
  for (const SvgSeries& s : chart.series) {
    for (const BandPoint& p : s.points) {
      band_low = std::min(band_low, std::max(p.low.value_or(low), low - span / 2));
      band_high = std::max(band_high, std::min(p.high.value_or(high), high + span / 2));
    }
  }
  if (band_low == band_high) band_low -= 0.05, band_high += 0.05;
  ticks_y = round_ticks(band_low, band_high, 5);
  frame.y_low = ticks_y.front();
  frame.y_high = ticks_y.back();
  frame.x_high = x_high > 0 ? x_high : 1;
}

}  // namespace

std::string series_color(int index) {
  constexpr const char* kFallback[] = {"#64748b", "#0072b2", "#d55e00", "#00875f",
                                       "#b5509c", "#a87900", "#3a9bd9", "#8c4b2f"};
  const int place = ((index % 8) + 8) % 8;
  return concat("var(--series-", place + 1, ",", kFallback[place], ")");
}

std::vector<double> round_ticks(double low, double high, std::size_t wanted) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high)
    throw Error(ErrorKind::Internal, "round_ticks", concat("[", low, ", ", high, "] is no range"));
  if (low == high) high = low + std::max(std::abs(low) * 1e-6, 1e-6);
  const double rough = (high - low) / static_cast<double>(std::max<std::size_t>(wanted, 1));
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {5.0, 2.0, 1.0})
    if (factor * power >= rough * (1 - 1e-9)) step = factor * power;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  std::vector<double> ticks;
  for (double i = first; i <= last; ++i) ticks.push_back(i * step);
  return ticks;
}

std::string svg_line_chart(const LineChart& chart, std::string_view id) {
  std::string out = open_svg(chart.title, chart.description, kLineHeight, id);
  Frame frame;
  frame.top = add_legend(out, chart.series) + 30;
  frame.bottom = std::max(kLineHeight - kBottom, frame.top + 60);
  std::vector<double> ticks_y;
  fit_to_data(frame, chart, ticks_y);
  out += axes(frame, round_ticks(0, frame.x_high, 5), ticks_y, chart.x_format, chart.y_format,
              chart.x_label, chart.y_label);
  if (chart.mark) {
    const double y = frame.y(chart.mark->y);
    out += line_at(frame.left, y, frame.right, y, kMuted, " stroke-dasharray=\"3 4\"");
    out += text_at(frame.left + 4, y - 5, "start", kMuted, chart.mark_label);
  }
  for (const SvgSeries& s : chart.series) out += band_path(frame, s);
  for (const SvgSeries& s : chart.series)
    if (!s.points.empty()) out += line_path(frame, s);
  return out + "</svg>";
}

std::string svg_bar_chart(const BarChart& chart, std::string_view id) {
  std::string out = open_svg(chart.title, chart.description, kBarHeight, id);
  Frame frame;
  frame.top = 28;
  frame.bottom = kBarHeight - kBottom;
  frame.x_low = -0.5;
  frame.x_high = chart.x_max + 0.5;
  const std::vector<double> ticks_y = round_ticks(0, chart.y_max > 0 ? chart.y_max : 1, 3);
  frame.y_high = ticks_y.back();
  std::vector<double> ticks_x;
  for (const double tick : round_ticks(0, std::max(1.0, chart.x_max), 6))
    if (tick == std::floor(tick)) ticks_x.push_back(tick);
  out += axes(frame, ticks_x, ticks_y, TickFormat::Count, TickFormat::Percent, chart.x_label,
              chart.y_label);
  const double width = std::min(26.0, std::max(1.0, 0.8 * (frame.x(1) - frame.x(0))));
  for (const CurvePoint& bar : chart.bars) {
    if (bar.y <= 0) continue;
    const double y = frame.y(bar.y);
    out += concat("<rect x=\"", number(frame.x(bar.x) - width / 2), "\" y=\"", number(y),
                  "\" width=\"", number(width), "\" height=\"", number(frame.bottom - y),
                  "\" style=\"fill:", series_color(chart.color), "\"/>");
  }
  return out + "</svg>";
}

namespace {

struct LegendEntry {
  std::string name, color;
};

// Squares with names, wrapped; returns the height used.
double add_square_legend(std::string& out, const std::vector<LegendEntry>& entries) {
  double x = 2, y = 14;
  for (const LegendEntry& entry : entries) {
    const double width = 18 + kLetter * static_cast<double>(text_width(entry.name)) + 14;
    if (x > 2 && x + width > kWidth) {
      x = 2;
      y += kLegendRow;
    }
    out += concat("<rect x=\"", number(x), "\" y=\"", number(y - 10),
                  "\" width=\"11\" height=\"11\" style=\"fill:", entry.color, "\"/>");
    out += text_at(x + 17, y, "start", kInk, entry.name);
    x += width;
  }
  return y + 6;
}

std::string variable_color(const char* name) { return concat("var(--", name, ",#b9bfc7)"); }

}  // namespace

std::string svg_area_chart(const AreaChart& chart, std::string_view id) {
  std::string out = open_svg(chart.title, chart.description, kLineHeight, id);
  std::vector<LegendEntry> legend;
  for (const AreaPart& part : chart.parts)
    legend.push_back({part.name, variable_color(part.color)});
  Frame frame;
  frame.top = add_square_legend(out, legend) + 30;
  frame.bottom = kLineHeight - kBottom;
  std::vector<double> sums(chart.x.size(), 0.0);
  for (const AreaPart& part : chart.parts)
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part.values[i];
  const double highest = sums.empty() ? 0 : *std::max_element(sums.begin(), sums.end());
  const std::vector<double> ticks_y = round_ticks(0, highest > 0 ? highest : 1, 4);
  frame.y_high = ticks_y.back();
  frame.x_high = chart.x.empty() || chart.x.back() <= 0 ? 1 : chart.x.back();
  out += axes(frame, round_ticks(0, frame.x_high, 5), ticks_y, TickFormat::Count, TickFormat::Count,
              chart.x_label, chart.y_label);
  std::vector<double> base(chart.x.size(), 0.0);
  for (const AreaPart& part : chart.parts) {
    std::string upper, lower;
    for (std::size_t i = 0; i < chart.x.size(); ++i) {
      const double top = base[i] + part.values[i];
      const std::string x = number(frame.x(chart.x[i]));
      upper += concat(upper.empty() ? "M" : "L", x, " ", number(frame.y(top)));
      lower = concat("L", x, " ", number(frame.y(base[i])), lower);
      base[i] = top;
    }
    if (!upper.empty())
      out += concat("<path d=\"", upper, lower,
                    "Z\" style=\"stroke:none;fill:", variable_color(part.color), "\"/>");
  }
  return out + "</svg>";
}

std::string svg_cell_map(const CellMap& map, std::string_view id) {
  // Twice as wide as high, so that few cells are large ones.
  const auto columns = static_cast<std::size_t>(
      std::clamp(std::ceil(std::sqrt(2.0 * static_cast<double>(map.cells.size()))), 10.0, 40.0));
  const double cell = kWidth / static_cast<double>(columns), gap = 1;
  std::vector<LegendEntry> legend;
  for (const CellClass& c : map.classes) legend.push_back({c.name, variable_color(c.color)});
  std::string names;
  const double top = add_square_legend(names, legend) + 6;
  const std::size_t rows = (map.cells.size() + columns - 1) / columns;
  std::string out =
      open_svg(map.title, map.description, top + cell * static_cast<double>(rows) + 2, id) + names;
  std::vector<std::string> paths(map.classes.size());
  const std::string side = number(cell - gap);
  for (std::size_t i = 0; i < map.cells.size(); ++i) {
    const std::size_t row = i / columns;
    paths[map.cells[i]] += concat("M", number(cell * static_cast<double>(i % columns)), " ",
                                  number(top + cell * static_cast<double>(row)), "h", side, "v",
                                  side, "h-", side, "z");
  }
  for (std::size_t c = 0; c < paths.size(); ++c)
    if (!paths[c].empty())
      out += concat("<path d=\"", paths[c],
                    "\" style=\"fill:", variable_color(map.classes[c].color), "\"/>");
  return out + "</svg>";
}

std::string svg_file(const std::string& svg) {
  const std::string open = "<svg ";
  return concat("<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"system-ui, sans-serif\" ",
                "style=\"background:#fff\" ", svg.substr(open.size()), "\n");
}

}  // namespace allot
