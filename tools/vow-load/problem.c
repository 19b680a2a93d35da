#include "tools/vow-load/problem.h"

#include <stdarg.h>
#include <stdio.h>

/* Words of a server's would else be commands to the terminal. */
static void make_printable(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
    }
}

bool load_problem_set(load_problem *problem, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(problem->text, sizeof problem->text, format, list);
    va_end(list);
    make_printable(problem->text);
    return false;
}
