#include "tools/vow-load/problem.h"

#include <stdarg.h>
#include <stdio.h>

bool load_problem_set(load_problem *problem, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(problem->text, sizeof problem->text, format, list);
    va_end(list);
    return false;
}
