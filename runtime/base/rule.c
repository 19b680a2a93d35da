#include "runtime/base/rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef VOW_DEBUG
static void report_to_standard_error(const char *text, void *arg)
{
    (void)arg;
    fprintf(stderr, "vow: %s\n", text);
}

static vow_report_fn *reporter = report_to_standard_error;
#else
static vow_report_fn *reporter;
#endif
static void *reporter_arg;

void vow_report_set(vow_report_fn *report, void *arg)
{
    reporter = report;
    reporter_arg = arg;
}

void vow_report(const char *format, ...)
{
    char    text[512];
    va_list arguments;

    if (!reporter)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reporter(text, reporter_arg);
}

void vow_rule_broken(const char *function, const char *rule)
{
    vow_report("%s: rule broken: %s", function, rule);
#ifdef VOW_DEBUG
    abort();
#endif
}
