#include "tools/vow-load/quantity.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* More digits than a double tells apart are a mistake. */
#define DIGITS_MAX 18

struct unit {
    const char *name;
    double      size;
};

/* Of those that begin alike the longer one first. */
static const struct unit duration_units[] = {
    { "ns", 1 }, { "us", 1e3 }, { "µs", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 },
};
static const struct unit number_units[] = { { "k", 1e3 }, { "M", 1e6 } };

static bool read_digits(const char **text, double *number)
{
    const char *at = *text;
    double      value = 0, part = 1;
    size_t      digits = 0;

    for (; isdigit((unsigned char)*at); at++, digits++)
        value = value * 10 + (*at - '0');
    /* "1..5" is a range, not a number with a point. */
    if (digits > 0 && at[0] == '.' && isdigit((unsigned char)at[1])) {
        for (at++; isdigit((unsigned char)*at); at++, digits++)
            value += (*at - '0') * (part /= 10);
    }
    if (digits == 0 || digits > DIGITS_MAX)
        return false;
    *text = at;
    *number = value;
    return true;
}

/* The size of the unit that `*text` begins with, which is moved behind it; 0: it is none of these. */
static double read_unit(const char **text, const struct unit *units, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(units[i].name);

        if (strncmp(*text, units[i].name, length) == 0 && !isalpha((unsigned char)(*text)[length])) {
            *text += length;
            return units[i].size;
        }
    }
    return 0;
}

bool load_read_number(const char **text, double *number)
{
    const char *at = *text;
    double      value, size;

    if (!read_digits(&at, &value))
        return false;
    size = read_unit(&at, number_units, sizeof number_units / sizeof *number_units);
    *number = size > 0 ? value * size : value;
    *text = at;
    return true;
}

bool load_read_duration(const char **text, uint64_t *ns)
{
    const char *at = *text;
    double      value, size;

    if (!read_digits(&at, &value))
        return false;
    size = read_unit(&at, duration_units, sizeof duration_units / sizeof *duration_units);
    if (size == 0 && (value != 0 || isalpha((unsigned char)*at)))
        return false;
    if (value * size > (double)LOAD_DURATION_MAX_NS)
        return false;
    *ns = (uint64_t)(value * size + 0.5);
    *text = at;
    return true;
}

bool load_parse_number(const char *text, double *number)
{
    return load_read_number(&text, number) && !*text;
}

bool load_parse_duration(const char *text, uint64_t *ns)
{
    return load_read_duration(&text, ns) && !*text;
}

bool load_parse_count(const char *text, uint64_t most, uint64_t *count)
{
    double number;

    if (!load_parse_number(text, &number) || number > (double)most || number != (double)(uint64_t)number)
        return false;
    *count = (uint64_t)number;
    return true;
}
