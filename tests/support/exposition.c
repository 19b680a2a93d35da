#include "tests/support/exposition.h"

#include "runtime/base/utf8.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_SIZE 2048
#define SERIES_MAX 20000
#define FAMILIES_MAX 64
#define NAME_MAX_SIZE 80

typedef struct reader {
    char   family[NAME_MAX_SIZE]; /* whose lines are being read */
    char   type[16];              /* "": its TYPE has not come */
    char   families[FAMILIES_MAX][NAME_MAX_SIZE];
    size_t family_count;
    char  *series[SERIES_MAX];
    size_t series_count;
    bool   is_in_histogram;          /* whose buckets are being read */
    char   histogram[LINE_MAX_SIZE]; /* its labels */
    double last_bound;
    double last_count;
    bool   has_sum;
    bool   has_count;
    char   fault[LINE_MAX_SIZE + 100];
} reader;

/* One line that is a value. */
typedef struct sample {
    char   name[NAME_MAX_SIZE];
    char   labels[LINE_MAX_SIZE]; /* as they stand there, without "le" */
    char   bound[40];             /* of "le" */
    double value;
} sample;

static bool fail_line(reader *reader, const char *why, const char *line)
{
    if (!reader->fault[0])
        snprintf(reader->fault, sizeof reader->fault, "%s: %.*s", why, LINE_MAX_SIZE - 1, line);
    return false;
}

static size_t name_size(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

    return *text && strchr(letters, *text)
               ? strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")
               : 0;
}

/* Series */

/* Reads name="value"; gives where it ends, or NULL. */
static const char *label_read(const char *at, sample *sample)
{
    const char *begin = at;
    size_t      size = name_size(at);

    if (size == 0 || at[size] != '=' || at[size + 1] != '"')
        return NULL;
    for (at += size + 2; *at != '"'; at++) {
        if (*at == '\\' && !strchr("\\\"n", *++at))
            return NULL;
        if (!*at)
            return NULL;
    }
    at++;
    if (size == 2 && memcmp(begin, "le", 2) == 0)
        snprintf(sample->bound, sizeof sample->bound, "%.*s", (int)(at - begin - 5), begin + 4);
    else
        strncat(sample->labels, begin, (size_t)(at - begin));
    return at;
}

static bool sample_read(const char *line, sample *sample)
{
    size_t      size = name_size(line);
    const char *at = line + size;
    char       *end;

    *sample = (struct sample){ .name = "" };
    if (size == 0 || size >= sizeof sample->name)
        return false;
    memcpy(sample->name, line, size);
    if (*at == '{') {
        do {
            at = label_read(at + 1, sample);
        } while (at && *at == ',');
        if (!at || *at++ != '}')
            return false;
    }
    if (*at != ' ' || at[1] == ' ')
        return false;
    sample->value = strtod(at + 1, &end);
    return end != at + 1 && *end == '\0';
}

static bool reader_remember(reader *reader, const char *line)
{
    size_t size = (size_t)(strrchr(line, ' ') - line);

    for (size_t i = 0; i < reader->series_count; i++) {
        if (strlen(reader->series[i]) == size && memcmp(reader->series[i], line, size) == 0)
            return fail_line(reader, "a series occurs twice", line);
    }
    if (reader->series_count == SERIES_MAX)
        return fail_line(reader, "too many series for the test", line);
    reader->series[reader->series_count++] = strndup(line, size);
    return true;
}

/* Families */

/* A histogram has all that belongs to it, or there is none. */
static bool reader_end_histogram(reader *reader)
{
    if (!reader->is_in_histogram)
        return true;
    if (!isinf(reader->last_bound) || !reader->has_sum || !reader->has_count)
        return fail_line(reader, "a histogram lacks +Inf, _sum or _count", reader->histogram);
    reader->is_in_histogram = false;
    return true;
}

static bool reader_begin_family(reader *reader, const char *name, const char *line)
{
    if (!reader_end_histogram(reader))
        return false;
    for (size_t i = 0; i < reader->family_count; i++) {
        if (strcmp(reader->families[i], name) == 0)
            return fail_line(reader, "a family begins twice", line);
    }
    if (reader->family_count == FAMILIES_MAX)
        return fail_line(reader, "too many families for the test", line);
    snprintf(reader->families[reader->family_count++], NAME_MAX_SIZE, "%s", name);
    snprintf(reader->family, sizeof reader->family, "%s", name);
    reader->type[0] = '\0';
    return true;
}

static bool reader_read_comment(reader *reader, const char *line)
{
    char name[NAME_MAX_SIZE];
    char word[16];
    char text[200];

    if (sscanf(line, "# %15s %79s %199[^\n]", word, name, text) != 3 || name_size(name) != strlen(name))
        return fail_line(reader, "neither HELP nor TYPE", line);
    if (strcmp(word, "HELP") == 0)
        return reader_begin_family(reader, name, line);
    if (strcmp(word, "TYPE") != 0 || strcmp(name, reader->family) != 0 || reader->type[0])
        return fail_line(reader, "a TYPE that does not follow its HELP", line);
    if (strcmp(text, "counter") != 0 && strcmp(text, "gauge") != 0 && strcmp(text, "histogram") != 0)
        return fail_line(reader, "no such type", line);
    snprintf(reader->type, sizeof reader->type, "%.15s", text);
    return true;
}

static bool reader_read_bucket(reader *reader, const sample *sample, const char *line)
{
    double bound = strtod(sample->bound, NULL);

    if (!sample->bound[0])
        return fail_line(reader, "a bucket without le", line);
    if (!reader->is_in_histogram || strcmp(reader->histogram, sample->labels) != 0) {
        if (!reader_end_histogram(reader))
            return false;
        snprintf(reader->histogram, sizeof reader->histogram, "%s", sample->labels);
        reader->is_in_histogram = true;
        reader->has_sum = reader->has_count = false;
    } else if (bound <= reader->last_bound || sample->value < reader->last_count) {
        return fail_line(reader, "buckets that do not grow", line);
    }
    reader->last_bound = bound;
    reader->last_count = sample->value;
    return true;
}

static bool reader_read_histogram(reader *reader, const sample *sample, const char *line)
{
    const char *suffix = sample->name + strlen(reader->family);

    if (strcmp(suffix, "_bucket") == 0)
        return reader_read_bucket(reader, sample, line);
    if (sample->bound[0] || !reader->is_in_histogram || strcmp(reader->histogram, sample->labels) != 0)
        return fail_line(reader, "this does not belong to the buckets before it", line);
    if (strcmp(suffix, "_sum") == 0) {
        reader->has_sum = true;
        return true;
    }
    if (strcmp(suffix, "_count") != 0 || sample->value < reader->last_count ||
        sample->value > reader->last_count)
        return fail_line(reader, "the count is not that of the last bucket", line);
    reader->has_count = true;
    return true;
}

static bool reader_read_sample(reader *reader, const char *line)
{
    sample sample;
    bool   is_histogram = strcmp(reader->type, "histogram") == 0;

    if (!sample_read(line, &sample))
        return fail_line(reader, "no series with a value", line);
    if (!reader->type[0] || strncmp(sample.name, reader->family, strlen(reader->family)) != 0)
        return fail_line(reader, "a series outside its family", line);
    if (!is_histogram && strcmp(sample.name, reader->family) != 0)
        return fail_line(reader, "a series outside its family", line);
    if (strcmp(reader->type, "counter") == 0 && !strstr(sample.name, "_total"))
        return fail_line(reader, "a counter whose name does not end in _total", line);
    if (sample.value < 0)
        return fail_line(reader, "less than nothing", line);
    return reader_remember(reader, line) && (!is_histogram || reader_read_histogram(reader, &sample, line));
}

/* The page */

static bool reader_read_page(reader *reader, const char *page)
{
    if (vow_utf8_span(page, strlen(page)) != strlen(page))
        return fail_line(reader, "it is no UTF-8", "");
    while (*page) {
        char        line[LINE_MAX_SIZE];
        const char *end = strchr(page, '\n');

        if (!end || end - page >= LINE_MAX_SIZE)
            return fail_line(reader, "a line that does not end", page);
        snprintf(line, sizeof line, "%.*s", (int)(end - page), page);
        if (line[0] == '#' ? !reader_read_comment(reader, line) : !reader_read_sample(reader, line))
            return false;
        page = end + 1;
    }
    return reader_end_histogram(reader);
}

const char *exposition_fault(const char *page)
{
    static char fault[LINE_MAX_SIZE + 100];
    reader     *reader = calloc(1, sizeof *reader);
    bool        is_good;

    if (!reader)
        return "no memory for the reader";
    is_good = reader_read_page(reader, page);
    memcpy(fault, reader->fault, sizeof fault);
    for (size_t i = 0; i < reader->series_count; i++)
        free(reader->series[i]);
    free(reader);
    return is_good ? NULL : fault;
}

double exposition_value(const char *page, const char *series)
{
    size_t size = strlen(series);

    for (const char *line = page; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, series, size) == 0 && line[size] == ' ')
            return strtod(line + size, NULL);
    }
    return -1;
}
