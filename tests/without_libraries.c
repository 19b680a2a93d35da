/* A build without gRPC or TLS says so, where a program or a peer asks for them, and goes on with all else. */
#include "tests/support/kinds.h"
#include "tests/support/raw_peer.h"

#include <stdio.h>
#include <string.h>

static void assert_begins(const char *text, const char *wanted)
{
    if (strncmp(text, wanted, strlen(wanted)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, wanted);
}

/* What a call to `target` fails with. */
static const char *call_error(const char *target)
{
    world       *world = world_new(WORLD_TCP);
    vow_channel *channel = vow_channel_open(world->loop, target, NULL);
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *error;

    assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
    error = world_error(world, calls_calls_echo(channel, &request, NULL));
    vow_channel_close(channel);
    world_free(world);
    return error;
}

static void a_target_that_needs_tls_says_that_this_build_has_none(void **state)
{
    (void)state;
    if (build_has_tls())
        return;
    assert_string_equal(
        call_error("tls://127.0.0.1:7000"),
        "UNIMPLEMENTED: tls://127.0.0.1:7000: this build of vow has no TLS: it was made without "
        "OpenSSL (the option VOW_TLS)");
    assert_begins(call_error("tls+unix:///tmp/none"),
                  "UNIMPLEMENTED: tls+unix:///tmp/none: this build of vow has no TLS");
}

static void a_target_that_needs_grpc_says_that_this_build_has_none(void **state)
{
    (void)state;
    if (build_has_grpc())
        return;
    assert_string_equal(
        call_error("grpc://127.0.0.1:7000"),
        "UNIMPLEMENTED: grpc://127.0.0.1:7000: this build of vow speaks no gRPC: it was made without "
        "libnghttp2 (the option VOW_GRPC)");
    assert_begins(call_error("grpcs://127.0.0.1:7000"),
                  "UNIMPLEMENTED: grpcs://127.0.0.1:7000: this build of vow");
}

static void a_server_that_was_given_a_certificate_says_that_this_build_has_no_tls(void **state)
{
    vow_loop   *loop = vow_loop_simulated(1);
    vow_server *server = vow_server_open(loop, VOW_SERVER(.tls = VOW_TLS(.certificate_file = "server.pem")));
    vow_error   error;

    (void)state;
    if (!build_has_tls()) {
        assert_int_equal(vow_server_listen(server, "tcp://127.0.0.1:7000", &error), VOW_UNIMPLEMENTED);
        assert_begins(error.message, "cannot listen on tcp://127.0.0.1:7000: this build of vow has no TLS");
        assert_int_equal(vow_server_reload_tls(server, VOW_TLS(.certificate_file = "a.pem"), &error),
                         VOW_UNIMPLEMENTED);
    }
    vow_server_close(server);
    vow_loop_close(loop);
}

static void a_client_with_tls_is_told_in_its_own_language(void **state)
{
    static const uint8_t client_hello[] = { 0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0 };
    static const uint8_t alert[] = {
        21, 3, 1, 0, 2, 2, 70
    }; /* RFC 8446, section 6: fatal, protocol_version */
    world    *world = world_new(WORLD_TCP);
    raw_peer *peer = raw_connect(world);

    (void)state;
    raw_send(peer, client_hello, sizeof client_hello);
    raw_run_to_end(peer);
    assert_int_equal(peer->got.size, sizeof alert);
    assert_memory_equal(peer->got.data, alert, sizeof alert);
    assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
    raw_free(peer);
    world_free(world);
}

static void a_client_of_grpc_is_told_in_its_own_language(void **state)
{
    static const char text[] = "this server was built without gRPC (the option VOW_GRPC)";
    world            *world = world_new(WORLD_TCP);
    raw_peer         *peer = raw_connect(world);

    (void)state;
    if (!build_has_grpc()) {
        raw_send(peer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
        raw_run_to_end(peer);
        assert_int_equal(peer->got.size, 9 + 9 + 8 + strlen(text));
        assert_int_equal(peer->got.data[3], 4);      /* SETTINGS */
        assert_int_equal(peer->got.data[9 + 3], 7);  /* GOAWAY */
        assert_int_equal(peer->got.data[9 + 16], 2); /* internal error */
        assert_memory_equal(peer->got.data + 9 + 9 + 8, text, strlen(text));
        assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
    }
    raw_free(peer);
    world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_that_needs_tls_says_that_this_build_has_none),
        cmocka_unit_test(a_target_that_needs_grpc_says_that_this_build_has_none),
        cmocka_unit_test(a_server_that_was_given_a_certificate_says_that_this_build_has_no_tls),
        cmocka_unit_test(a_client_with_tls_is_told_in_its_own_language),
        cmocka_unit_test(a_client_of_grpc_is_told_in_its_own_language),
    };

    return cmocka_run_group_tests_name("a build without", tests, NULL, NULL);
}
