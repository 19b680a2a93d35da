/*
 * What a client of gRPC calls the host that it means: HTTP/2's :authority, by which servers tell their sites
 * apart.
 *
 * Source: RFC 9113, section 8.3.1; RFC 3986, section 3.2: one host and one port, whatever the target lists.
 */
#include "tests/support/http2_peer.h"
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Calls a server at `format`, where "%s" is its port or path; it must read `expected`. */
static void assert_authority(world_kind kind, const char *format, const char *expected)
{
    world       *world = world_new(kind);
    char         address[160];
    int          listener = raw_listen(kind, address);
    const char  *place = strrchr(address, kind == WORLD_UNIX ? '/' : ':') + 1;
    Calls__Text  request = CALLS__TEXT__INIT;
    char         target[200];
    char         line[200] = ":authority: ";
    vow_channel *channel;
    vow_future  *reply;
    http2_peer  *server;
    http2_frame  frame;

    snprintf(target, sizeof target, format, place);
    snprintf(line + strlen(line), sizeof line - strlen(line), expected, place);
    channel = vow_channel_open(world->loop, target, NULL);
    reply = calls_calls_echo(channel, &request, NULL);
    server = http2_of_raw(raw_accept(world, listener));
    assert_true(http2_next(server, NGHTTP2_HEADERS, 1, &frame));
    if (!strstr(frame.fields, strcat(line, "\n")))
        fail_msg("%s: there is no %s in %s", target, line, frame.fields);
    http2_free(server);
    close(listener);
    if (kind == WORLD_UNIX)
        unlink(address + strlen("unix://"));
    vow_drop(reply);
    vow_channel_close(channel);
    world_free(world);
}

static void authority_is_the_targets_host_and_port(void **state)
{
    (void)state;
    assert_authority(WORLD_TCP, "grpc://127.0.0.1:%s", "127.0.0.1:%s");
    assert_authority(WORLD_TCP, "grpc://localhost:%s", "localhost:%s");
}

static void authority_of_a_list_is_what_was_reached_of_it(void **state)
{
    (void)state;
    assert_authority(WORLD_TCP, "grpc://127.0.0.1:1,localhost:%s,127.0.0.1:2", "localhost:%s");
}

static void authority_of_a_unix_socket_is_localhost(void **state)
{
    (void)state;
    assert_authority(WORLD_UNIX, "grpc+unix:///tmp/%s", "localhost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(authority_is_the_targets_host_and_port),
        cmocka_unit_test(authority_of_a_list_is_what_was_reached_of_it),
        cmocka_unit_test(authority_of_a_unix_socket_is_localhost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
