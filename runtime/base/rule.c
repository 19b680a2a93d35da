#include "runtime/base/rule.h"

#include <dlfcn.h>
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
    char    text[768];
    va_list arguments;

    if (!reporter)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    reporter(text, reporter_arg);
}

/* Names are known of functions that are exported; an offset into the file serves addr2line. */
const char *vow_place_name(const void *address, char *text, size_t size)
{
    Dl_info found;

    if (!dladdr(address, &found) || !found.dli_fname)
        snprintf(text, size, "%p", address);
    else if (found.dli_sname)
        snprintf(text, size, "%s+0x%zx (%s)", found.dli_sname,
                 (size_t)((const char *)address - (const char *)found.dli_saddr), found.dli_fname);
    else
        snprintf(text, size, "%s+0x%zx", found.dli_fname,
                 (size_t)((const char *)address - (const char *)found.dli_fbase));
    return text;
}

void vow_rule_broken_by(const char *function, const char *rule, const void *made_by)
{
    char place[256];

    if (made_by)
        vow_report("%s: rule broken: %s; it was made in %s", function, rule,
                   vow_place_name(made_by, place, sizeof place));
    else
        vow_report("%s: rule broken: %s", function, rule);
#ifdef VOW_DEBUG
    abort();
#endif
}

void vow_rule_broken(const char *function, const char *rule)
{
    vow_rule_broken_by(function, rule, NULL);
}
