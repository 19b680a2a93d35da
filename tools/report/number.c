#include "tools/report/report.h"

#include <math.h>
#include <string.h>

struct unit {
    double      size;
    const char *name;
};

static const struct unit seconds_units[] = { { 1, "s" }, { 1e-3, "ms" }, { 1e-6, "µs" }, { 1e-9, "ns" } };
static const struct unit bytes_units[] = {
    { 1073741824.0, "GiB" }, { 1048576.0, "MiB" }, { 1024.0, "KiB" }, { 1, "B" }
};

char *report_number(char text[REPORT_NUMBER_SIZE], double number, int decimals)
{
    char   digits[REPORT_NUMBER_SIZE];
    size_t used = 0, whole, length;

    if (!isfinite(number) || fabs(number) >= 1e15) {
        snprintf(text, REPORT_NUMBER_SIZE, isnan(number) ? "-" : "%.3g", number);
        return text;
    }
    snprintf(digits, sizeof digits, "%.*f", decimals > 6 ? 6 : decimals, fabs(number));
    whole = strcspn(digits, ".");
    length = strlen(digits);
    if (number < 0)
        text[used++] = '-';
    for (size_t i = 0; i < length && used + 2 < REPORT_NUMBER_SIZE; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* The largest unit of which there is one, or nearly: 999.6 µs would be printed as 1000. */
static char *number_with_unit(char text[REPORT_NUMBER_SIZE], double number, const struct unit *units,
                              size_t count)
{
    size_t i = 0;
    double shown;

    if (isnan(number)) {
        snprintf(text, REPORT_NUMBER_SIZE, "-");
        return text;
    }
    while (i + 1 < count && fabs(number) < 0.9995 * units[i].size)
        i++;
    shown = number / units[i].size;
    if (shown == 0)
        snprintf(text, REPORT_NUMBER_SIZE, "0 %s",
                 units[0].size == 1 ? units[0].name : units[count - 1].name);
    else if (fabs(shown) < 9.995)
        snprintf(text, REPORT_NUMBER_SIZE, "%.2f %s", shown, units[i].name);
    else
        snprintf(text, REPORT_NUMBER_SIZE, "%.*f %s", fabs(shown) < 99.95 ? 1 : 0, shown, units[i].name);
    return text;
}

char *report_seconds(char text[REPORT_NUMBER_SIZE], double seconds)
{
    return number_with_unit(text, seconds, seconds_units, sizeof seconds_units / sizeof *seconds_units);
}

char *report_bytes(char text[REPORT_NUMBER_SIZE], double bytes)
{
    if (fabs(bytes) < 1023.5) {
        snprintf(text, REPORT_NUMBER_SIZE, "%.0f B", bytes);
        return text;
    }
    return number_with_unit(text, bytes, bytes_units, sizeof bytes_units / sizeof *bytes_units);
}
