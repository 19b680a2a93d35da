#include "tools/report/page.h"

#include "tools/report/report.h"

#include <stdarg.h>

/* Colours that the colour-blind tell apart, after Okabe and Ito, and lighter ones of the same hues for the
 * dark. */
static const char style[] =
    ":root { color-scheme: light dark; --page: #ffffff; --text: #1c1e21; --faint: #6b7075; --line: #d9dce0;\n"
    "  --stripe: #f5f6f8; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b3589a; --c4: #b8860b;\n"
    "  --c5: #3a9bd9; --c6: #7a4fbf; --c7: #5f6b76; }\n"
    "@media (prefers-color-scheme: dark) { :root { --page: #16181b; --text: #e6e8ea; --faint: #9aa0a6;\n"
    "  --line: #3a3f45; --stripe: #1e2124; --c0: #4ba8e0; --c1: #ff8a3d; --c2: #2ecc9b; --c3: #e08cc6;\n"
    "  --c4: #e6b422; --c5: #8fd0ff; --c6: #b594f0; --c7: #a9b4be; } }\n"
    "body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);\n"
    "  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }\n"
    "h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid "
    "var(--line); }\n"
    "table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }\n"
    ".wide { overflow-x: auto; }\n"
    "caption { text-align: left; font-weight: 600; padding-bottom: 0.3rem; }\n"
    "th, td { padding: 0.15rem 0.8rem 0.15rem 0; text-align: left; white-space: nowrap; }\n"
    "th { color: var(--faint); font-weight: 600; border-bottom: 1px solid var(--line); }\n"
    "td.n, th.n { text-align: right; } tbody tr:nth-child(even) { background: var(--stripe); }\n"
    "pre { overflow-x: auto; background: var(--stripe); padding: 0.8rem; }\n"
    "figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }\n"
    ".legend { color: var(--faint); } .legend span { margin-right: 1.2rem; white-space: nowrap; }\n"
    "svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; }\n"
    "svg text { fill: var(--text); } svg .faint { fill: var(--faint); } svg .grid { stroke: var(--line); }\n"
    "svg .axis { stroke: var(--faint); } svg path { fill: none; stroke-width: 1.8; stroke-linejoin: round; "
    "}\n"
    "svg.key { width: 22px; height: 10px; } svg.key path { stroke-width: 3; }\n";

void page_escape(FILE *file, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            fputc((unsigned char)*text < 0x20 && *text != '\n' ? ' ' : *text, file);
        }
    }
}

void report_begin(report *report, FILE *file, const char *title)
{
    report->file = file;
    report->plots = 0;
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          file);
    page_escape(file, title);
    fprintf(file, "</title>\n<style>\n%s", style);
    for (int i = 0; i < PAGE_COLOURS; i++)
        fprintf(file, "svg .s%d { stroke: var(--c%d); } svg .f%d { fill: var(--c%d); }\n", i, i, i, i);
    fputs("</style>\n</head>\n<body>\n<h1>", file);
    page_escape(file, title);
    fputs("</h1>\n", file);
}

void report_section(report *report, const char *heading)
{
    fputs("<h2>", report->file);
    page_escape(report->file, heading);
    fputs("</h2>\n", report->file);
}

void report_paragraph(report *report, const char *format, ...)
{
    char    text[4096];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fputs("<p>", report->file);
    page_escape(report->file, text);
    fputs("</p>\n", report->file);
}

void report_preformatted(report *report, const char *text)
{
    fputs("<pre>", report->file);
    page_escape(report->file, text);
    fputs("</pre>\n", report->file);
}

static void cell_write(FILE *file, const char *tag, const char *text, bool is_number)
{
    fprintf(file, is_number ? "<%s class=\"n\">" : "<%s>", tag);
    page_escape(file, text ? text : "–");
    fprintf(file, "</%s>", tag);
}

void report_table_show(report *report, const report_table *table)
{
    FILE *file = report->file;

    fputs("<div class=\"wide\"><table>\n", file);
    if (table->title) {
        fputs("<caption>", file);
        page_escape(file, table->title);
        fputs("</caption>\n", file);
    }
    fputs("<thead><tr>", file);
    for (size_t i = 0; i < table->column_count; i++)
        cell_write(file, "th", table->columns[i].title, table->columns[i].is_number);
    fputs("</tr></thead>\n<tbody>\n", file);
    for (size_t row = 0; row < table->row_count; row++) {
        fputs("<tr>", file);
        for (size_t i = 0; i < table->column_count; i++)
            cell_write(file, "td", table->cells[row * table->column_count + i], table->columns[i].is_number);
        fputs("</tr>\n", file);
    }
    fputs("</tbody></table></div>\n", file);
}

bool report_end(report *report)
{
    fputs("</body>\n</html>\n", report->file);
    return fflush(report->file) == 0 && !ferror(report->file);
}
