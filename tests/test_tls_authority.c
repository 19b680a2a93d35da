/*
 * Whom a client of gRPC asks for over TLS: the name in the handshake (SNI), the one that it verifies, and
 * HTTP/2's :authority are one.
 *
 * Source: RFC 6066, section 3; RFC 9113, section 8.3.1; gRPC core, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG.
 */
#include "tests/support/certificates.h"
#include "tests/support/http2_peer.h"
#include "tests/support/kinds.h"
#include "tests/support/tls_bridge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a server at grpcs://`host`:port is asked for, by a channel that expects `server_name`. */
static void assert_asked_for(const char *host, const char *server_name, const char *sni,
                             const char *authority)
{
    world                 *world = world_new(WORLD_TCP);
    const vow_tls_options *tls =
        VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()), .server_name = server_name);
    char         address[160];
    int          listener = raw_listen(WORLD_TCP, address);
    const char  *port = strrchr(address, ':') + 1;
    Calls__Text  request = CALLS__TEXT__INIT;
    char         target[200];
    char         line[200] = ":authority: ";
    vow_channel *channel;
    vow_future  *reply;
    raw_peer    *raw;
    tls_bridge  *bridge;
    http2_peer  *server;
    http2_frame  frame;
    char        *asked;

    snprintf(target, sizeof target, "grpcs://%s:%s", host, port);
    snprintf(line + strlen(line), sizeof line - strlen(line), authority, port);
    channel = vow_channel_open(world->loop, target, VOW_CHANNEL(.tls = tls));
    reply = calls_calls_echo(channel, &request, NULL);
    raw = raw_accept(world, listener);
    bridge = tls_bridge_start(&raw->fd);
    server = http2_of_raw(raw);
    if (!http2_next(server, NGHTTP2_HEADERS, 1, &frame))
        fail_msg("no call has come: %s", world_error(world, reply));
    if (!strstr(frame.fields, strcat(line, "\n")))
        fail_msg("%s: there is no %s in %s", target, line, frame.fields);
    assert_non_null(strstr(frame.fields, ":scheme: https\n"));
    http2_free(server);
    asked = tls_bridge_end(bridge);
    assert_string_equal(asked, sni);
    free(asked);
    close(listener);
    vow_drop(reply);
    vow_channel_close(channel);
    world_free(world);
}

static void who_is_asked_for_is_the_targets_host(void **state)
{
    (void)state;
    assert_asked_for("localhost", NULL, "localhost", "localhost:%s");
}

static void an_address_is_no_name_for_the_handshake(void **state)
{
    (void)state;
    assert_asked_for("127.0.0.1", NULL, "", "127.0.0.1:%s");
}

static void server_name_takes_the_place_of_the_host_everywhere(void **state)
{
    (void)state;
    assert_asked_for("127.0.0.1", "localhost", "localhost", "localhost");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_asked_for_is_the_targets_host),
        cmocka_unit_test(an_address_is_no_name_for_the_handshake),
        cmocka_unit_test(server_name_takes_the_place_of_the_host_everywhere),
    };

    return cmocka_run_group_tests_name("whom TLS and gRPC ask for", tests, NULL, NULL);
}
