#include "tools/report/axis.h"

#include <math.h>
#include <string.h>

#define LINEAR_MARKS 6 /* or so many that their distance is a round number */

/* Shares above this lie on top of each other: seven nines are more than anybody can measure. */
#define NINES_MAX 7.0

void axis_init(axis *axis, const report_axis *like)
{
    memset(axis, 0, sizeof *axis);
    axis->like = like;
}

/* The value as the scale sees it: equal distances on paper are equal differences of this. */
static double axis_stretch(const axis *axis, double value)
{
    switch (axis->like->scale) {
    case REPORT_LOG:
        return value > 0 ? log10(value) : NAN;
    case REPORT_NINES:
        if (value < 0 || value >= 1)
            return NAN;
        return fmin(-log10(1 - value), NINES_MAX);
    default:
        return isfinite(value) ? value : NAN;
    }
}

void axis_include(axis *axis, double value)
{
    if (isnan(axis_stretch(axis, value)))
        return;
    if (!axis->has_values || value < axis->low)
        axis->low = value;
    if (!axis->has_values || value > axis->high)
        axis->high = value;
    axis->has_values = true;
}

/* 1, 2 or 5 times a power of ten, such that some LINEAR_MARKS of them make up `span`. */
static double axis_step(double span)
{
    double rough = span / LINEAR_MARKS;
    double power = pow(10, floor(log10(rough)));
    double digits = rough / power;

    if (digits <= 1)
        return power;
    if (digits <= 2)
        return 2 * power;
    return digits <= 5 ? 5 * power : 10 * power;
}

static void axis_settle_linear(axis *axis)
{
    double step;

    if (axis->like->from_zero && axis->low > 0)
        axis->low = 0;
    if (axis->like->from_zero && axis->high < 0)
        axis->high = 0;
    if (axis->high - axis->low < 1e-9 * fmax(fabs(axis->high), 1e-9))
        axis->high = axis->low + (axis->low == 0 ? 1 : fabs(axis->low));
    step = axis_step(axis->high - axis->low);
    axis->low = floor(axis->low / step + 1e-9) * step;
    axis->high = ceil(axis->high / step - 1e-9) * step;
}

/* Out to the next 1, 2 or 5 of a decade: whole decades would leave half the plot empty. */
static double axis_round_log(double value, bool is_up)
{
    static const double digits[] = { 1, 2, 5, 10 };
    double              power = pow(10, floor(log10(value) + 1e-12));
    size_t              i = is_up ? 0 : 3;

    while (is_up && i < 3 && digits[i] * power < value * (1 - 1e-9))
        i++;
    while (!is_up && i > 0 && digits[i] * power > value * (1 + 1e-9))
        i--;
    return digits[i] * power;
}

static void axis_settle_log(axis *axis)
{
    if (axis->like->unit == REPORT_BYTES) {
        axis->low = exp2(floor(log2(axis->low) + 1e-9));
        axis->high = exp2(ceil(log2(axis->high) - 1e-9));
    } else {
        axis->low = axis_round_log(axis->low, false);
        axis->high = axis_round_log(axis->high, true);
    }
    if (axis->high <= axis->low)
        axis->high = 2 * axis->low;
}

void axis_settle(axis *axis)
{
    if (!axis->has_values) {
        axis->low = axis->like->scale == REPORT_NINES ? 0 : 1;
        axis->high = axis->low;
    }
    if (axis->like->scale == REPORT_LINEAR)
        axis_settle_linear(axis);
    else if (axis->like->scale == REPORT_LOG)
        axis_settle_log(axis);
    else if (axis->high <= axis->low)
        axis->high = 1 - (1 - axis->low) / 10;
}

double axis_place(const axis *axis, double value)
{
    double low = axis_stretch(axis, axis->low), high = axis_stretch(axis, axis->high);

    return (axis_stretch(axis, value) - low) / (high - low);
}

/* Marks */

static void label_plain(char *label, double value)
{
    static const char *const suffix[] = { "", "k", "M", "G" };
    size_t                   i = 0;

    while (i < 3 && fabs(value) >= 999.95) {
        value /= 1000;
        i++;
    }
    snprintf(label, REPORT_NUMBER_SIZE, "%.4g%s", value, suffix[i]);
}

/* Without the digits that every mark would have: "2 ms", not "2.00 ms". */
static void label_seconds(char *label, double value)
{
    static const char *const names[] = { "s", "ms", "µs", "ns" };
    size_t                   i = 0;

    while (i < 3 && value != 0 && fabs(value) < 0.9995) {
        value *= 1000;
        i++;
    }
    snprintf(label, REPORT_NUMBER_SIZE, "%.4g %s", value, names[i]);
}

static void label_bytes(char *label, double value)
{
    static const char *const names[] = { "B", "KiB", "MiB", "GiB" };
    size_t                   i = 0;

    while (i < 3 && fabs(value) >= 1023.5) {
        value /= 1024;
        i++;
    }
    snprintf(label, REPORT_NUMBER_SIZE, "%.4g %s", value, names[i]);
}

static void mark_set(const axis *axis, axis_mark *mark, double value)
{
    value += 0.0; /* no "-0" */
    mark->value = value;
    switch (axis->like->unit) {
    case REPORT_SECONDS:
        label_seconds(mark->label, value);
        break;
    case REPORT_BYTES:
        label_bytes(mark->label, value);
        break;
    case REPORT_SHARES:
        snprintf(mark->label, sizeof mark->label, "%.8g %%", value * 100);
        break;
    default:
        label_plain(mark->label, value);
    }
}

static size_t marks_linear(const axis *axis, axis_mark *marks)
{
    double step = axis_step(axis->high - axis->low);
    size_t count = 0;

    for (double i = ceil(axis->low / step - 1e-9);
         i * step <= axis->high + step * 1e-6 && count < AXIS_MARKS_MAX; i++)
        mark_set(axis, &marks[count++], i * step);
    return count;
}

static size_t marks_bytes(const axis *axis, axis_mark *marks)
{
    double low = log2(axis->low), high = log2(axis->high);
    double step = fmax(1, ceil((high - low) / (AXIS_MARKS_MAX - 4)));
    size_t count = 0;

    for (double i = low; i <= high + 1e-9 && count < AXIS_MARKS_MAX; i += step)
        mark_set(axis, &marks[count++], exp2(i));
    return count;
}

/* Less than a decade: every digit. Few: 1, 2, 5 of each. More: 1 of each. Still more: 1 of every second or
 * third. */
static size_t marks_log(const axis *axis, axis_mark *marks)
{
    static const double one[] = { 1 }, three[] = { 1, 2, 5 }, all[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    double              first = floor(log10(axis->low) + 1e-9), last = floor(log10(axis->high) + 1e-9);
    double              stride = fmax(1, ceil((last - first) / 12));
    size_t              digit_count = axis->high < 9.99 * axis->low ? 9 : last - first <= 3 ? 3 : 1;
    const double       *digits = digit_count == 9 ? all : digit_count == 3 ? three : one;
    size_t              count = 0;

    for (double decade = first; decade <= last; decade += stride) {
        for (size_t i = 0; i < digit_count; i++) {
            double value = digits[i] * pow(10, decade);

            if (value >= axis->low * (1 - 1e-9) && value <= axis->high * (1 + 1e-9) && count < AXIS_MARKS_MAX)
                mark_set(axis, &marks[count++], value);
        }
    }
    return count;
}

static size_t marks_nines(const axis *axis, axis_mark *marks)
{
    static const double shares[] = { 0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999, 0.9999999 };
    size_t              count = 0;

    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        if (shares[i] >= axis->low - 1e-9 && shares[i] <= axis->high + 1e-9)
            mark_set(axis, &marks[count++], shares[i]);
    }
    return count;
}

size_t axis_marks(const axis *axis, axis_mark marks[AXIS_MARKS_MAX])
{
    if (axis->like->scale == REPORT_NINES)
        return marks_nines(axis, marks);
    if (axis->like->scale == REPORT_LINEAR)
        return marks_linear(axis, marks);
    return axis->like->unit == REPORT_BYTES ? marks_bytes(axis, marks) : marks_log(axis, marks);
}
