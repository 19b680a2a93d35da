/*
 * Flags as gRPC's interoperability programs have them: --name=value.
 *
 * The idea: a program says in a table which it knows and where their values go; what is not in the table, or
 * has a value that makes no sense, ends the program with a message.
 */
#ifndef VOW_INTEROP_FLAGS_H
#define VOW_INTEROP_FLAGS_H

#include <stdbool.h>

/* One of `text`, `number` and `truth` is set. */
typedef struct interop_flag {
    const char  *name; /* "server_port"; NULL ends the table */
    const char  *help;
    const char **text;
    int         *number; /* from 0 on */
    bool        *truth;  /* --name alone is true */
} interop_flag;

/* Reads `argv`. Ends the program: with 0 and a list of all flags at --help, with 2 where one is wrong. */
void interop_flags_read(const interop_flag *flags, int argc, char **argv);

#endif
