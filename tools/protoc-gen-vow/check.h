/*
 * What protoc-c 1.4.1 cannot do.
 *
 * The idea: on some files protoc-c crashes, on others it writes what no compiler takes. Whoever has
 * such a file hears here, in terms of the file, what is in the way and what to do. All else that
 * protoc-c does is its own affair.
 *
 * protoc-c also writes a client and server of its own for each service, which vow does not use and
 * which limit the names of methods; with `messages` (see protoc_c.h) they are left out.
 */
#ifndef VOW_GENERATOR_CHECK_H
#define VOW_GENERATOR_CHECK_H

#include "schema.h"
#include "symbols.h"

/* Claims in `taken` what protoc-c makes of the files that `reached` marks. Gives NULL, or what is wrong with
 * `file`. */
const char *vow_check_file(const vow_schema *schema, const vow_file *file, const bool *reached,
                           bool with_services, vow_symbols *taken);

/* The place of the first field that is optional in the sense of proto3, which makes protoc refuse to run
 * protoc-c; NULL: there is none. */
const char *vow_check_optional(const vow_schema *schema, const vow_file *file);

#endif
