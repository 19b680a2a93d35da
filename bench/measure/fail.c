#include "fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static void complain(const char *format, va_list values)
{
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
}

void bench_fail(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    complain(format, values);
    va_end(values);
    exit(1);
}

void bench_fail_usage(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    complain(format, values);
    va_end(values);
    fputs("--help tells what it takes\n", stderr);
    exit(2);
}

void bench_must(int status, const char *what)
{
    if (status < 0)
        bench_fail("cannot %s: %s", what, uv_strerror(status));
}

void *bench_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);

    if (!memory)
        bench_fail("no memory for %zu times %zu bytes", count, size);
    return memory;
}
