/*
 * A plot: a frame with marks, then each series in its colour, and a legend where there are several.
 *
 * Places are those of SVG: y grows downward, and the frame lies within WIDTH by HEIGHT.
 */
#include "tools/report/axis.h"
#include "tools/report/page.h"
#include "tools/report/report.h"

#include <math.h>
#include <string.h>

#define WIDTH 860.0
#define HEIGHT 380.0
#define LEFT 80.0
#define RIGHT 840.0
#define TOP 14.0
#define BOTTOM 322.0

#define LETTER_WIDTH 6.5 /* of an axis' text, about */
#define DOTS_MAX 200     /* of a series; more would hide the line and fatten the file */
#define BARS_SHARE 0.8   /* of a group's width; the rest parts it from the next */
#define WHISKER_HALF 4.0

typedef struct plot {
    const report_plot *like; /* lent */
    FILE              *file; /* lent */
    axis               x, y;
} plot;

/* Where things are */

static double plot_x(const plot *plot, double value)
{
    return LEFT + axis_place(&plot->x, value) * (RIGHT - LEFT);
}

static double plot_y(const plot *plot, double value)
{
    return BOTTOM - axis_place(&plot->y, value) * (BOTTOM - TOP);
}

/* Where bars begin: at 0 where the axis has it, else at the bottom. */
static double plot_floor(const plot *plot)
{
    double y = plot->like->y.scale == REPORT_LINEAR ? plot_y(plot, 0) : BOTTOM;

    return fmin(fmax(y, TOP), BOTTOM);
}

static void plot_measure(plot *plot)
{
    const report_plot *like = plot->like;

    axis_init(&plot->x, &like->x);
    axis_init(&plot->y, &like->y);
    for (size_t s = 0; s < like->series_count; s++) {
        const report_series *series = &like->series[s];

        for (size_t i = 0; i < series->count; i++) {
            if (isnan(series->y[i]))
                continue;
            axis_include(&plot->y, series->y[i]);
            if (series->low)
                axis_include(&plot->y, series->low[i]);
            if (series->high)
                axis_include(&plot->y, series->high[i]);
            if (like->form != REPORT_BARS)
                axis_include(&plot->x, series->x[i]);
        }
    }
    axis_settle(&plot->x);
    axis_settle(&plot->y);
}

/* Frame */

static void text_write(FILE *file, double x, double y, const char *style, const char *text)
{
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, style);
    page_escape(file, text);
    fputs("</text>\n", file);
}

static void line_write(FILE *file, const char *class, double x1, double y1, double x2, double y2)
{
    fprintf(file, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2,
            y2);
}

static void frame_y(const plot *plot)
{
    axis_mark marks[AXIS_MARKS_MAX];
    size_t    count = axis_marks(&plot->y, marks);

    for (size_t i = 0; i < count; i++) {
        double y = plot_y(plot, marks[i].value);

        line_write(plot->file, "grid", LEFT, y, RIGHT, y);
        text_write(plot->file, LEFT - 8, y + 4, "class=\"faint\" text-anchor=\"end\"", marks[i].label);
    }
    fprintf(plot->file, "<g transform=\"translate(14 %.1f) rotate(-90)\">", (TOP + BOTTOM) / 2);
    text_write(plot->file, 0, 0, "text-anchor=\"middle\"", plot->like->y.title);
    fputs("</g>\n", plot->file);
}

static void frame_x_values(const plot *plot)
{
    axis_mark marks[AXIS_MARKS_MAX];
    size_t    count = axis_marks(&plot->x, marks);
    double    free_from = 0; /* labels would overlap where marks are close */

    for (size_t i = 0; i < count; i++) {
        double x = plot_x(plot, marks[i].value);
        double half = (double)strlen(marks[i].label) * LETTER_WIDTH / 2;

        line_write(plot->file, "grid", x, TOP, x, BOTTOM);
        if (x - half < free_from)
            continue;
        text_write(plot->file, x, BOTTOM + 18, "class=\"faint\" text-anchor=\"middle\"", marks[i].label);
        free_from = x + half + LETTER_WIDTH;
    }
}

static void frame_x_labels(const plot *plot)
{
    const report_plot *like = plot->like;
    double             width = (RIGHT - LEFT) / (double)like->label_count;
    bool               are_slanted = false;

    for (size_t i = 0; i < like->label_count; i++)
        are_slanted = are_slanted || (double)strlen(like->labels[i]) * LETTER_WIDTH > width;
    for (size_t i = 0; i < like->label_count; i++) {
        fprintf(plot->file, "<g transform=\"translate(%.1f %.1f) rotate(%d)\">",
                LEFT + ((double)i + 0.5) * width, BOTTOM + 18, are_slanted ? -20 : 0);
        text_write(plot->file, 0, 0, are_slanted ? "text-anchor=\"end\"" : "text-anchor=\"middle\"",
                   like->labels[i]);
        fputs("</g>\n", plot->file);
    }
}

static void plot_frame(const plot *plot)
{
    frame_y(plot);
    if (plot->like->form == REPORT_BARS)
        frame_x_labels(plot);
    else
        frame_x_values(plot);
    line_write(plot->file, "axis", LEFT, BOTTOM, RIGHT, BOTTOM);
    line_write(plot->file, "axis", LEFT, TOP, LEFT, BOTTOM);
    if (plot->like->x.title)
        text_write(plot->file, (LEFT + RIGHT) / 2, HEIGHT - 8, "text-anchor=\"middle\"", plot->like->x.title);
}

/* Series */

/* The words of a point under the pointer. */
static void point_title(const plot *plot, const report_series *series, const char *x, double y)
{
    char text[REPORT_NUMBER_SIZE];

    if (plot->like->y.unit == REPORT_SECONDS)
        report_seconds(text, y);
    else if (plot->like->y.unit == REPORT_BYTES)
        report_bytes(text, y);
    else
        report_number(text, y, fabs(y) < 100 ? 2 : 0);
    fputs("<title>", plot->file);
    page_escape(plot->file, series->name);
    fputs(", ", plot->file);
    page_escape(plot->file, x);
    fputs(": ", plot->file);
    page_escape(plot->file, text);
    fputs("</title>", plot->file);
}

static void point_whisker(const plot *plot, size_t colour, const report_series *series, size_t i, double x)
{
    char class[8];
    double low, high;

    if (!series->low || !series->high)
        return;
    low = plot_y(plot, series->low[i]);
    high = plot_y(plot, series->high[i]);
    if (isnan(low) || isnan(high))
        return;
    snprintf(class, sizeof class, "s%zu", colour % PAGE_COLOURS);
    line_write(plot->file, plot->like->form == REPORT_BARS ? "axis" : class, x, low, x, high);
    line_write(plot->file, plot->like->form == REPORT_BARS ? "axis" : class, x - WHISKER_HALF, low,
               x + WHISKER_HALF, low);
    line_write(plot->file, plot->like->form == REPORT_BARS ? "axis" : class, x - WHISKER_HALF, high,
               x + WHISKER_HALF, high);
}

/* Series beyond the last colour are told apart by their dashes. */
static const char *series_dash(size_t index, const report_series *series)
{
    if (series->is_dashed)
        return " stroke-dasharray=\"6 4\"";
    return index / PAGE_COLOURS % 2 ? " stroke-dasharray=\"2 3\"" : "";
}

static void series_line(const plot *plot, size_t index, const report_series *series)
{
    bool is_drawing = false;

    fprintf(plot->file, "<path class=\"s%zu\"%s d=\"", index % PAGE_COLOURS, series_dash(index, series));
    for (size_t i = 0; i < series->count; i++) {
        double x = plot_x(plot, series->x[i]), y = plot_y(plot, series->y[i]);

        if (isnan(x) || isnan(y)) {
            is_drawing = false;
            continue;
        }
        if (is_drawing && plot->like->form == REPORT_STEPS)
            fprintf(plot->file, "H%.1f", x);
        fprintf(plot->file, "%c%.1f %.1f", is_drawing ? 'L' : 'M', x, y);
        is_drawing = true;
    }
    fputs("\"/>\n", plot->file);
}

static void x_words(const plot *plot, double value, char text[REPORT_NUMBER_SIZE])
{
    switch (plot->like->x.unit) {
    case REPORT_SECONDS:
        report_seconds(text, value);
        break;
    case REPORT_BYTES:
        report_bytes(text, value);
        break;
    case REPORT_SHARES:
        snprintf(text, REPORT_NUMBER_SIZE, "%.7g %%", value * 100);
        break;
    default:
        report_number(text, value, value == floor(value) ? 0 : 2);
    }
}

static void series_dots(const plot *plot, size_t index, const report_series *series)
{
    size_t stride = series->count / DOTS_MAX + 1;

    for (size_t i = 0; i < series->count; i += stride) {
        double x = plot_x(plot, series->x[i]), y = plot_y(plot, series->y[i]);
        char   words[REPORT_NUMBER_SIZE];

        if (isnan(x) || isnan(y))
            continue;
        point_whisker(plot, index, series, i, x);
        x_words(plot, series->x[i], words);
        fprintf(plot->file, "<circle class=\"f%zu\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\">", index % PAGE_COLOURS,
                x, y, series->count > DOTS_MAX / 4 ? "1.8" : "3");
        point_title(plot, series, words, series->y[i]);
        fputs("</circle>\n", plot->file);
    }
}

static void series_bars(const plot *plot, size_t index, const report_series *series)
{
    double group = (RIGHT - LEFT) / (double)plot->like->label_count;
    double width = group * BARS_SHARE / (double)plot->like->series_count;

    for (size_t i = 0; i < series->count && i < plot->like->label_count; i++) {
        double x = LEFT + group * ((double)i + (1 - BARS_SHARE) / 2) + width * (double)index;
        double y = plot_y(plot, series->y[i]), floor = plot_floor(plot);

        if (isnan(y))
            continue;
        fprintf(plot->file, "<rect class=\"f%zu\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"%s>",
                index % PAGE_COLOURS, x, fmin(y, floor), width * 0.94, fabs(floor - y),
                index >= PAGE_COLOURS ? " opacity=\"0.6\"" : "");
        point_title(plot, series, plot->like->labels[i], series->y[i]);
        fputs("</rect>\n", plot->file);
        point_whisker(plot, index, series, i, x + width * 0.47);
    }
}

static void plot_legend(const plot *plot)
{
    if (plot->like->series_count < 2)
        return;
    fputs("<div class=\"legend\">", plot->file);
    for (size_t s = 0; s < plot->like->series_count; s++) {
        const report_series *series = &plot->like->series[s];

        fprintf(
            plot->file,
            "<span><svg viewBox=\"0 0 22 10\" class=\"key\"><path class=\"s%zu\"%s d=\"M1 5H21\"/></svg> ",
            s % PAGE_COLOURS, series_dash(s, series));
        page_escape(plot->file, series->name);
        fputs("</span> ", plot->file);
    }
    fputs("</div>\n", plot->file);
}

void report_plot_show(report *report, const report_plot *like)
{
    plot plot = { .like = like, .file = report->file };

    report->plots++;
    plot_measure(&plot);
    fputs("<figure>\n<figcaption>", report->file);
    page_escape(report->file, like->title);
    fputs("</figcaption>\n", report->file);
    if (!plot.y.has_values) {
        fputs("<p>Nothing was measured.</p>\n</figure>\n", report->file);
        return;
    }
    plot_legend(&plot);
    fprintf(report->file, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    page_escape(report->file, like->title);
    fputs("\">\n", report->file);
    plot_frame(&plot);
    for (size_t s = 0; s < like->series_count; s++) {
        if (like->form == REPORT_BARS) {
            series_bars(&plot, s, &like->series[s]);
        } else {
            series_line(&plot, s, &like->series[s]);
            series_dots(&plot, s, &like->series[s]);
        }
    }
    fputs("</svg>\n</figure>\n", report->file);
}
