#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void bench_say_no_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

void bench_say(const char *format, ...)
{
    int     why = errno; /* for %m; isatty has one of its own */
    va_list values;

    bench_say_no_progress();
    fputs("bench: ", stderr);
    errno = why;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
}

void bench_say_progress(const char *format, ...)
{
    va_list values;

    if (!isatty(STDERR_FILENO))
        return;
    fputs("\r\033[?7l", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputs("\033[K\033[?7h", stderr);
}
