#include "apps/report/report.h"

#include <cstdlib>

#include "apps/plot/svg.h"
#include "apps/report/html.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

std::string warnings_html(const ReportPage& page) {
  if (page.warnings.empty()) return "";
  std::string items;
  for (const std::string& warning : page.warnings)
    items += fmt::format("<li>{}</li>\n", html_escaped(warning));
  return fmt::format("<ul class=\"page-warnings\" aria-label=\"Warnings\">\n{}</ul>\n", items);
}

std::string numbers_html(const ReportPage& page) {
  if (page.numbers.empty()) return "";
  std::string cards;
  for (const ReportNumber& n : page.numbers)
    cards += fmt::format(
        "<div><dt>{}</dt><dd class=\"page-value\">{} <span class=\"page-unit\">{}</span></dd>"
        "<dd class=\"page-small\">{}</dd></div>\n",
        html_escaped(n.name), html_escaped(n.value), html_escaped(n.unit), html_escaped(n.note));
  return fmt::format("<dl class=\"page-numbers\">\n{}</dl>\n", cards);
}

std::string row_html(const ReportTable& table, std::size_t row) {
  check(table.rows[row].size() == table.columns.size(), "report",
        "expected {} cells per row in table '{}', got {}", table.columns.size(), table.title,
        table.rows[row].size());
  constexpr std::size_t kLongText = 60;  // bytes; longer texts are broken into lines
  std::string cells;
  for (const ReportCell& cell : table.rows[row])
    cells +=
        cell.link.empty()
            ? fmt::format("<td{}>{}</td>", cell.text.size() > kLongText ? " class=\"page-text\"" : "",
                          html_escaped(cell.text))
            : fmt::format("<td><a href=\"{}\">{}</a></td>", html_escaped(cell.link), html_escaped(cell.text));
  return fmt::format("<tr{}>{}</tr>\n", table.marked == row ? " class=\"page-marked\"" : "", cells);
}

std::string table_html(const ReportTable& table) {
  std::string head, body;
  for (const std::string& column : table.columns)
    head += fmt::format("<th scope=\"col\">{}</th>", html_escaped(column));
  for (std::size_t row = 0; row < table.rows.size(); ++row) body += row_html(table, row);
  const std::string note =
      table.note.empty() ? "" : fmt::format("<p class=\"page-note\">{}</p>\n", html_escaped(table.note));
  const std::string content = fmt::format(
      "<div class=\"page-table\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n",
      head, body);
  if (!table.folded) return fmt::format("<h2>{}</h2>\n{}{}", html_escaped(table.title), note, content);
  return fmt::format("<h2>{0}</h2>\n{1}<details><summary>{0} <span>({2})</span></summary>\n{3}</details>\n",
                     html_escaped(table.title), note, table.rows.size(), content);
}

std::string tables_html(const ReportPage& page, bool folded) {
  std::string tables;
  for (const ReportTable& table : page.tables)
    if (table.folded == folded) tables += table_html(table);
  return tables;
}

// The width of an SVG, in CSS pixels; 0 if the text names none.
double width_of(const std::string& svg) {
  const std::size_t at = svg.find(" width=\"");
  return at < svg.find('>') ? std::atof(svg.c_str() + at + 8) : 0;
}

// Figures grow with the page, but only a little, so that their text stays about as large as the page's.
std::string limit_style(const std::string& svg) {
  constexpr double kMax = 1.3;
  const double width = width_of(svg);
  return width > 0 ? fmt::format(" style=\"max-width:min(100%,{:.0f}px)\"", kMax * width) : "";
}

// Embeds each picture as a separate image, so that ids and styles of one SVG cannot clash with those of
// another.
std::string picture_html(const ReportPicture& p) {
  check(p.svg.empty() != p.png.empty(), "report", "expected SVG text or PNG bytes for picture '{}', got {}",
        p.title, p.svg.empty() ? "neither" : "both");
  const bool vector = p.png.empty();
  return fmt::format(
      "<figure{}><div class=\"page-sheet\"><img{}{} src=\"data:image/{};base64,{}\" alt=\"{}\"></div>"
      "<figcaption><b>{}</b><span>{}</span></figcaption></figure>\n",
      p.wide ? " class=\"page-wide\"" : "", vector ? " class=\"page-vector\"" : "",
      vector ? limit_style(p.svg) : "", vector ? "svg+xml" : "png", plot::base64(vector ? p.svg : p.png),
      html_escaped(p.title), html_escaped(p.title), html_escaped(p.caption));
}

std::string pictures_html(const ReportPage& page) {
  if (page.pictures.empty()) return "";
  std::string figures;
  for (const ReportPicture& picture : page.pictures) figures += picture_html(picture);
  return fmt::format("<h2>Curves and pictures</h2>\n<div class=\"page-pictures\">\n{}</div>\n", figures);
}

std::string explorer_section(const ReportPage& page) {
  if (!page.explorer) return "";
  return fmt::format(
      "<h2>Explorer</h2>\n<p class=\"page-note\">This page decodes the point of latent space that is under "
      "the "
      "pointer.</p>\n{}",
      explorer_fragment(*page.explorer));
}

std::string configuration_html(const ReportPage& page) {
  if (page.configuration.empty()) return "";
  std::string groups;
  for (const auto& [group, rows] : page.configuration) {
    std::string cells;
    for (const ReportRow& row : rows)
      cells += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html_escaped(row.name),
                           html_escaped(row.value));
    groups += fmt::format("<details><summary>{} <span>({})</span></summary>\n<table>\n{}</table></details>\n",
                          html_escaped(group), rows.size(), cells);
  }
  return fmt::format("<h2>Configuration</h2>\n<div class=\"page-settings\">\n{}</div>\n", groups);
}

}  // namespace

std::string report_html(const ReportPage& page) {
  std::string body = warnings_html(page);
  body.append(numbers_html(page)).append(tables_html(page, false));
  body.append(pictures_html(page)).append(tables_html(page, true));
  body.append(explorer_section(page)).append(configuration_html(page));
  return html_page(page.title, page.subtitle, "", body);
}

}  // namespace gpuvae::apps
