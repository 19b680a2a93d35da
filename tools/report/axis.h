/*
 * An axis of a plot: which values it spans, where on it a value lies, and where it is marked.
 *
 * The idea: whatever the scale, a value becomes a place between 0 and 1; a plot multiplies it by its width or
 * height.
 */
#ifndef TOOLS_REPORT_AXIS_H
#define TOOLS_REPORT_AXIS_H

#include "tools/report/report.h"

#define AXIS_MARKS_MAX 16

typedef struct axis {
    const report_axis *like; /* lent */
    double             low, high;
    bool               has_values;
} axis;

typedef struct axis_mark {
    double value;
    char   label[REPORT_NUMBER_SIZE];
} axis_mark;

void axis_init(axis *axis, const report_axis *like);

/* Makes the axis reach `value`; one that has no place on this scale is ignored. */
void axis_include(axis *axis, double value);

/* After the last value: rounds the ends, and gives an axis of one value, or none, some length. */
void axis_settle(axis *axis);

/* Where `value` lies, 0 … 1; NAN: nowhere on this scale. */
double axis_place(const axis *axis, double value);

/* Gives how many there are. */
size_t axis_marks(const axis *axis, axis_mark marks[AXIS_MARKS_MAX]);

#endif
