/*
 * Set-ups for cmocka: what each test's state is that runs in a world.
 *
 * The idea: a kind of world, or of a world with streams, is the end of a name, world_open_tcp and
 * streams_open_grpc, so that a macro makes of one word the name of a test and its set-up. world_close ends
 * any of them.
 */
#ifndef VOW_TESTS_SETUPS_H
#define VOW_TESTS_SETUPS_H

#include "tests/support/streams.h"
#include "tests/support/world.h"

#define SETUPS_EACH(DO)                                                                                      \
    DO(simulated, WORLD_SIMULATED)                                                                           \
    DO(tcp, WORLD_TCP)                                                                                       \
    DO(unix, WORLD_UNIX)                                                                                     \
    DO(memory, WORLD_MEMORY)                                                                                 \
    DO(grpc, WORLD_GRPC)                                                                                     \
    DO(grpc_simulated, WORLD_GRPC_SIMULATED)                                                                 \
    DO(tls, WORLD_TLS)                                                                                       \
    DO(tls_memory, WORLD_TLS_MEMORY)                                                                         \
    DO(tls_simulated, WORLD_TLS_SIMULATED)                                                                   \
    DO(grpcs, WORLD_GRPCS)                                                                                   \
    DO(grpcs_simulated, WORLD_GRPCS_SIMULATED)

#define SETUPS_DECLARE(name, kind)                                                                           \
    int world_open_##name(void **state);                                                                     \
    int streams_open_##name(void **state);
SETUPS_EACH(SETUPS_DECLARE)

int world_close(void **state);

/* A test whose name ends with the kind: "calls_are_answered (grpc)". */
#define ON_WORLD(name, test)                                                                                 \
    {                                                                                                        \
#test " (" #name ")", test, world_open_##name, world_close, NULL                                     \
    }
#define ON_STREAMS(name, test)                                                                               \
    {                                                                                                        \
#test " (" #name ")", test, streams_open_##name, world_close, NULL                                   \
    }

#define ON_EACH_WORLD(test) SETUPS_ON_EACH(ON_WORLD, test)
#define ON_EACH_STREAMS(test) SETUPS_ON_EACH(ON_STREAMS, test)
#define SETUPS_ON_EACH(ON, test)                                                                             \
    ON(simulated, test), ON(tcp, test), ON(unix, test), ON(memory, test), ON(grpc, test),                    \
        ON(grpc_simulated, test), ON(tls, test), ON(tls_memory, test), ON(tls_simulated, test),              \
        ON(grpcs, test), ON(grpcs_simulated, test)

#endif
