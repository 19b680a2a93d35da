#include "interop/flags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void flags_help(const interop_flag *flags)
{
    for (; flags->name; flags++)
        printf("  --%s%s  %s\n", flags->name,
               flags->truth    ? "[=true|false]"
               : flags->number ? "=N"
                               : "=…",
               flags->help);
}

static bool read_number(const char *value, int *number)
{
    char *end;
    long  read = strtol(value, &end, 10);

    if (end == value || *end || read < 0 || read > 1000000000)
        return false;
    *number = (int)read;
    return true;
}

/* `value` is NULL where there was no "=". */
static bool flag_set(const interop_flag *flag, const char *value)
{
    if (flag->truth && (!value || strcmp(value, "true") == 0 || strcmp(value, "false") == 0)) {
        *flag->truth = !value || value[0] == 't';
        return true;
    }
    if (flag->number && value)
        return read_number(value, flag->number);
    if (flag->text && value) {
        *flag->text = value;
        return true;
    }
    return false;
}

static const interop_flag *flag_find(const interop_flag *flags, const char *name, size_t size)
{
    for (; flags->name; flags++) {
        if (strlen(flags->name) == size && memcmp(flags->name, name, size) == 0)
            return flags;
    }
    return NULL;
}

void interop_flags_read(const interop_flag *flags, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char         *name = argv[i] + 2;
        const char         *equals = strchr(argv[i], '=');
        const interop_flag *flag = NULL;

        if (strcmp(argv[i], "--help") == 0) {
            printf("usage: %s\n", argv[0]);
            flags_help(flags);
            exit(0);
        }
        if (strncmp(argv[i], "--", 2) == 0)
            flag = flag_find(flags, name, equals ? (size_t)(equals - name) : strlen(name));
        if (!flag || !flag_set(flag, equals ? equals + 1 : NULL)) {
            fprintf(stderr, "%s: %s: no such flag, or a value that makes no sense; see --help\n", argv[0],
                    argv[i]);
            exit(2);
        }
    }
}
