/*
 * A report: one HTML page of headings, text, tables and plots, which needs nothing but itself.
 *
 * The idea: the page is written as it is told, from top to bottom, to a file that the caller opened. Plots
 * are SVG inside the page; there is no script, no font and no picture from elsewhere, so that the file can be
 * sent, kept and opened in ten years. Colours follow the reader's choice of light or dark. A point under the
 * pointer says its numbers.
 *
 * Texts are shown as they are: what means something in HTML is escaped. All that is passed is lent for the
 * call.
 *
 *     report report;
 *
 *     report_begin(&report, file, "Load of greeter");
 *     report_section(&report, "Latency");
 *     report_plot_show(&report, &(report_plot){ ... });
 *     if (!report_end(&report))
 *         ... the file could not be written
 */
#ifndef TOOLS_REPORT_REPORT_H
#define TOOLS_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define REPORT_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define REPORT_PRINTF(at, first)
#endif

/* The page */

typedef struct report {
    FILE  *file;  /* lent */
    size_t plots; /* so far */
} report;

void report_begin(report *report, FILE *file, const char *title);
void report_section(report *report, const char *heading);
void report_paragraph(report *report, const char *format, ...) REPORT_PRINTF(2, 3);

/* Lines of text as they are, in letters of one width. */
void report_preformatted(report *report, const char *text);

/* The end of the page. False: the file could not be written. Does not close it. */
bool report_end(report *report);

/* Tables */

typedef struct report_column {
    const char *title;
    bool        is_number; /* set to the right */
} report_column;

typedef struct report_table {
    const char          *title; /* may be NULL */
    const report_column *columns;
    size_t               column_count;
    const char *const   *cells; /* row by row; a NULL is shown as a dash */
    size_t               row_count;
} report_table;

void report_table_show(report *report, const report_table *table);

/* Plots */

typedef enum report_scale {
    REPORT_LINEAR,
    REPORT_LOG,  /* what is not above 0 is left out */
    REPORT_NINES /* shares from 0 to below 1, spread so that 0.9, 0.99, 0.999 … are equally far apart */
} report_scale;

typedef enum report_unit {
    REPORT_NUMBERS, /* 20, 5k, 1.2M */
    REPORT_SECONDS, /* 250 µs, 1.5 ms, 2 s */
    REPORT_BYTES,   /* 64, 4 KiB, 1 MiB; a logarithmic axis is marked at powers of two */
    REPORT_SHARES   /* 50 %, 99.9 % */
} report_unit;

typedef struct report_axis {
    const char  *title;
    report_scale scale;
    report_unit  unit;
    bool         from_zero; /* a linear axis begins at 0, whatever the least value is */
} report_axis;

/* A NAN in y is a gap. */
typedef struct report_series {
    const char   *name;
    const double *x; /* of bars: NULL */
    const double *y;
    const double *low; /* the ends of an interval around y, drawn as a whisker; may be NULL, and hold NANs */
    const double *high;
    size_t        count;
    bool          is_dashed; /* a reference beside what was measured */
} report_series;

typedef enum report_form {
    REPORT_LINES,
    REPORT_STEPS, /* a value holds until the next */
    REPORT_BARS   /* a group for each label, a bar in it for each series */
} report_form;

typedef struct report_plot {
    const char          *title;
    report_form          form;
    report_axis          x; /* of bars: its title alone */
    report_axis          y;
    const report_series *series;
    size_t               series_count;
    const char *const   *labels; /* of bars: as many as each series has values */
    size_t               label_count;
} report_plot;

/* A plot without a single value says so instead. */
void report_plot_show(report *report, const report_plot *plot);

/* Numbers for tables */

#define REPORT_NUMBER_SIZE 32

/* "1,007,399" or, with decimals, "1,234.50"; "-" for NAN. Gives `text`. */
char *report_number(char text[REPORT_NUMBER_SIZE], double number, int decimals);

/* Three digits and the unit of its size, "1.25 ms", "84.0 µs"; "-" for NAN. Gives `text`. */
char *report_seconds(char text[REPORT_NUMBER_SIZE], double seconds);

/* "512 B", "1.50 MiB"; "-" for NAN. Gives `text`. */
char *report_bytes(char text[REPORT_NUMBER_SIZE], double bytes);

#ifdef __cplusplus
}
#endif
#endif
