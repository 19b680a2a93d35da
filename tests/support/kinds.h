/*
 * Runs tests on kinds of world, of which a build without gRPC or TLS lacks some.
 *
 * The idea: a test that runs on several kinds has the kind at the end of its name: "calls_are_answered
 * (grpc)". What the build can't do is left out and counted, so that the rest of the test still says
 * something.
 */
#ifndef VOW_TESTS_KINDS_H
#define VOW_TESTS_KINDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

bool build_has_grpc(void);
bool build_has_tls(void);

/* In place of cmocka_run_group_tests. */
#define kinds_run_tests(name, tests) kinds_run(name, tests, sizeof(tests) / sizeof(tests)[0])
int kinds_run(const char *name, const struct CMUnitTest *tests, size_t count);

#endif
