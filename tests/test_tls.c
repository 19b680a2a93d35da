/* TLS: who is trusted and who is not, in words; what one port takes; and what becomes of bytes that are no
 * TLS. */
#include "runtime/transport/tls.h"
#include "tests/support/certificates.h"
#include "tests/support/failing.h"
#include "tests/support/kinds.h"
#include "tests/support/raw_peer.h"

#include <vow/testing.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWN(certificate)                                                                                     \
    .certificate_pem = certificate_text(certificate), .key_pem = certificate_key(certificate)

static void assert_begins(const char *text, const char *wanted)
{
    if (strncmp(text, wanted, strlen(wanted)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", text, wanted);
}

static void assert_has(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("\"%s\" does not say \"%s\"", text, wanted);
}

static const world_kind all_kinds[] = { WORLD_TLS, WORLD_TLS_MEMORY, WORLD_TLS_SIMULATED, WORLD_GRPCS,
                                        WORLD_GRPCS_SIMULATED };
#define KINDS ((size_t)(build_has_grpc() ? 5 : 3))

/* What is the same for both protocols is looked at over gRPC where there is one. */
#define EITHER (build_has_grpc() ? WORLD_GRPCS : WORLD_TLS)
#define GRPC_OR_TCP (build_has_grpc() ? "grpc://" : "tcp://")
#define GRPCS_OR_TLS (build_has_grpc() ? "grpcs://" : "tls://")

static void calls_are_answered_on_every_kind_of_transport(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        world *world = world_new(all_kinds[i]);

        for (int call = 0; call < 3; call++)
            assert_string_equal(world_error(world, world_echo(world, "hello", NULL)), "OK");
        world_free(world);
    }
}

/* Whom to trust */

/* What a call to a server with `server` gets from a client with `client`. */
static const char *tls_error(world_kind kind, const vow_tls_options *server, const vow_tls_options *client)
{
    world      *world = world_new_with(kind, VOW_SERVER(.tls = server), VOW_CHANNEL(.tls = client));
    static char text[1024];

    snprintf(text, sizeof text, "%s", world_error(world, world_echo(world, "", NULL)));
    world_free(world);
    return text;
}

static void a_ca_that_is_not_trusted_is_named_with_what_to_do(void **state)
{
    certificate *other = certificate_new("other CA", CERTIFICATE(.is_ca = true));
    const char  *text;

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        text = tls_error(all_kinds[i], NULL, VOW_TLS(.ca_pem = certificate_text(other)));
        assert_begins(text, "UNAVAILABLE: ");
        assert_has(text, ": the server's certificate (CN=server.test) was issued by CN=vow test CA, which is "
                         "not trusted and "
                         "was not sent along; give that CA as tls.ca_file to trust it");
    }
    text = tls_error(WORLD_TLS, NULL, VOW_TLS()); /* the system's store */
    assert_has(text, "was issued by CN=vow test CA, which is not trusted");
    certificate_free(other);
}

static void a_certificate_that_has_expired_is_told_with_the_day(void **state)
{
    certificate *expired =
        certificate_new("old", CERTIFICATE(.names = "IP:127.0.0.1", .issuer = certificate_of_ca(),
                                           .from_day = -3, .to_day = -1));
    certificate *early =
        certificate_new("young", CERTIFICATE(.names = "IP:127.0.0.1", .issuer = certificate_of_ca(),
                                             .from_day = 1, .to_day = 2));
    const char *text;

    (void)state;
    text = tls_error(WORLD_TLS, VOW_TLS(OWN(expired)), NULL);
    assert_has(text, ": the server's certificate (CN=old) expired on 20");
    assert_has(text, " UTC");
    text = tls_error(EITHER, VOW_TLS(OWN(early)), NULL);
    assert_has(text, ": the server's certificate (CN=young) is valid from 20");
    assert_has(text, " on only; is the clock right?");
    certificate_free(expired);
    certificate_free(early);
}

static void a_certificate_for_others_is_told_with_whom_it_is_for(void **state)
{
    certificate *other =
        certificate_new("other", CERTIFICATE(.names = "DNS:a.example,DNS:*.b.example,IP:10.0.0.7",
                                             .issuer = certificate_of_ca()));
    certificate *nameless = certificate_new("127.0.0.1", CERTIFICATE(.issuer = certificate_of_ca()));
    const char  *ca = certificate_text(certificate_of_ca());
    const char  *text;

    (void)state;
    text = tls_error(WORLD_TLS, VOW_TLS(OWN(other)), NULL);
    assert_has(text, ": the server's certificate (CN=other) is for dns:a.example, dns:*.b.example, "
                     "ip:10.0.0.7, and not for "
                     "127.0.0.1; tls.server_name says whom to expect instead");
    text = tls_error(WORLD_TLS, VOW_TLS(OWN(other)), VOW_TLS(.ca_pem = ca, .server_name = "c.example"));
    assert_has(text, " and not for c.example;");
    assert_string_equal(
        tls_error(WORLD_TLS, VOW_TLS(OWN(other)), VOW_TLS(.ca_pem = ca, .server_name = "a.example")), "OK");
    assert_string_equal(
        tls_error(EITHER, VOW_TLS(OWN(other)), VOW_TLS(.ca_pem = ca, .server_name = "x.b.example")), "OK");
    text = tls_error(WORLD_TLS, VOW_TLS(OWN(nameless)), NULL);
    assert_has(text, " is for no host at all, and not for 127.0.0.1;");
    certificate_free(other);
    certificate_free(nameless);
}

static void a_certificate_that_signs_itself_is_trusted_when_it_is_given(void **state)
{
    certificate *self = certificate_new("alone", CERTIFICATE(.names = "IP:127.0.0.1"));

    (void)state;
    assert_has(tls_error(WORLD_TLS, VOW_TLS(OWN(self)), NULL),
               ": the server's certificate (CN=alone) is self-signed, and not one that is trusted; give it "
               "as tls.ca_file to "
               "trust it");
    assert_string_equal(tls_error(WORLD_TLS, VOW_TLS(OWN(self)), VOW_TLS(.ca_pem = certificate_text(self))),
                        "OK");
    assert_string_equal(tls_error(WORLD_TLS, VOW_TLS(OWN(self)), VOW_TLS(.trusts_anybody = true)), "OK");
    certificate_free(self);
}

static void a_chain_with_an_intermediate_ca_leads_to_the_one_that_is_trusted(void **state)
{
    certificate *middle =
        certificate_new("middle CA", CERTIFICATE(.is_ca = true, .issuer = certificate_of_ca()));
    certificate *leaf = certificate_new("leaf", CERTIFICATE(.names = "IP:127.0.0.1", .issuer = middle));
    char         chain[8192];

    (void)state;
    snprintf(chain, sizeof chain, "%s%s", certificate_text(leaf), certificate_text(middle));
    assert_string_equal(
        tls_error(WORLD_TLS, VOW_TLS(.certificate_pem = chain, .key_pem = certificate_key(leaf)), NULL),
        "OK");
    assert_has(tls_error(WORLD_TLS, VOW_TLS(OWN(leaf)), NULL), "was issued by CN=middle CA");
    certificate_free(leaf);
    certificate_free(middle);
}

static void a_certificate_for_another_use_is_refused(void **state)
{
    const char  *ca = certificate_text(certificate_of_ca());
    certificate *for_clients =
        certificate_new("visitor", CERTIFICATE(.names = "IP:127.0.0.1", .usage = "clientAuth",
                                               .issuer = certificate_of_ca()));
    certificate *for_servers = certificate_new(
        "host", CERTIFICATE(.names = "IP:127.0.0.1", .usage = "serverAuth", .issuer = certificate_of_ca()));
    const char *text;

    (void)state;
    text = tls_error(EITHER, VOW_TLS(OWN(for_clients)), NULL);
    assert_has(text,
               ": the server's certificate (CN=visitor) is not meant for servers (its extended key usage)");
    assert_string_equal(tls_error(EITHER, VOW_TLS(OWN(for_servers)), NULL), "OK");
    text =
        tls_error(EITHER, VOW_TLS(OWN(for_servers), .ca_pem = ca), VOW_TLS(.ca_pem = ca, OWN(for_servers)));
    assert_has(
        text,
        ": the peer refused with the TLS alert \"unsupported certificate\"; our certificate is not meant "
        "for that (tls.certificate_file, its extended key usage)");
    assert_string_equal(
        tls_error(EITHER, VOW_TLS(OWN(for_servers), .ca_pem = ca), VOW_TLS(.ca_pem = ca, OWN(for_clients))),
        "OK");
    certificate_free(for_clients);
    certificate_free(for_servers);
}

static void a_certificate_issued_by_one_that_is_no_ca_is_refused(void **state)
{
    certificate *leaf =
        certificate_new("leaf", CERTIFICATE(.names = "DNS:leaf", .issuer = certificate_of_ca()));
    certificate *child = certificate_new("child", CERTIFICATE(.names = "IP:127.0.0.1", .issuer = leaf));
    char         chain[8192];

    (void)state;
    snprintf(chain, sizeof chain, "%s%s", certificate_text(child), certificate_text(leaf));
    assert_has(
        tls_error(WORLD_TLS, VOW_TLS(.certificate_pem = chain, .key_pem = certificate_key(child)), NULL),
        ": the certificate (CN=leaf) above the server's is no CA's, and may issue no certificates (its basic "
        "constraints)");
    certificate_free(child);
    certificate_free(leaf);
}

/* Mutual TLS */

static void tell_identity(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;

    (void)request;
    (void)handler;
    assert_true(vow_call_connection(call, &info));
    if (info.tls_version && info.peer_subject)
        vow_call_fail(call, VOW_ABORTED, "%s %s %s of %s: %s %s", info.tls_version, info.protocol,
                      info.peer_subject, info.peer_issuer, info.peer_names[0], info.peer_names[1]);
    else
        vow_call_fail(call, VOW_ABORTED, "%s nobody", info.tls_version ? info.tls_version : "without TLS,");
}

static void answer_empty(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_reply(call, request);
}

static const vow_handler identity_handler = { .size = sizeof identity_handler,
                                              .method = &calls_calls_echo_method,
                                              .serve = tell_identity };

static const char *identity_seen(world_kind kind, const vow_tls_options *server,
                                 const vow_tls_options *client)
{
    world      *world = world_new_with(kind, VOW_SERVER(.tls = server), VOW_CHANNEL(.tls = client));
    static char text[1024];

    vow_server_handle(world->server, &identity_handler);
    snprintf(text, sizeof text, "%s", world_error(world, world_echo(world, "", NULL)));
    world_free(world);
    return text;
}

static void a_handler_sees_who_its_caller_is(void **state)
{
    const char  *ca = certificate_text(certificate_of_ca());
    certificate *alice = certificate_new(
        "alice, the first",
        CERTIFICATE(.names = "DNS:alice.example,URI:spiffe://example/alice", .issuer = certificate_of_ca()));
    const vow_tls_options *mutual = VOW_TLS(OWN(certificate_of_server()), .ca_pem = ca);
    const vow_tls_options *as_alice = VOW_TLS(.ca_pem = ca, OWN(alice));

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        bool        is_grpc = all_kinds[i] == WORLD_GRPCS || all_kinds[i] == WORLD_GRPCS_SIMULATED;
        const char *wanted =
            is_grpc ? "ABORTED: TLSv1.3 h2 CN=alice\\, the first of CN=vow test CA: dns:alice.example "
                      "uri:spiffe://example/alice"
                    : "ABORTED: TLSv1.3 vow/1 CN=alice\\, the first of CN=vow test CA: dns:alice.example "
                      "uri:spiffe://example/alice";

        assert_string_equal(identity_seen(all_kinds[i], mutual, as_alice), wanted);
    }
    assert_string_equal(identity_seen(WORLD_TLS, NULL, NULL), "ABORTED: TLSv1.3 nobody");
    assert_string_equal(identity_seen(WORLD_TCP, NULL, NULL), "ABORTED: without TLS, nobody");
    certificate_free(alice);
}

static void a_server_with_a_ca_wants_certificates_unless_clients_may_be_anonymous(void **state)
{
    const char  *ca = certificate_text(certificate_of_ca());
    certificate *mallory = certificate_new("mallory", CERTIFICATE(.names = "DNS:alice.example"));
    const char  *text;

    (void)state;
    text = tls_error(WORLD_TLS, VOW_TLS(OWN(certificate_of_server()), .ca_pem = ca), NULL);
    assert_has(text, ": the peer refused with the TLS alert \"certificate required\"; it wants to see a "
                     "certificate of ours "
                     "(tls.certificate_file, tls.key_file)");
    text = tls_error(EITHER, VOW_TLS(OWN(certificate_of_server()), .ca_pem = ca),
                     VOW_TLS(.ca_pem = ca, OWN(mallory)));
    assert_has(
        text,
        ": the peer refused with the TLS alert \"unknown CA\"; it does not trust the CA of our certificate "
        "(tls.certificate_file)");
    assert_string_equal(
        identity_seen(WORLD_TLS,
                      VOW_TLS(OWN(certificate_of_server()), .ca_pem = ca, .may_be_anonymous = true), NULL),
        "ABORTED: TLSv1.3 nobody");
    certificate_free(mallory);
}

static void a_caller_sees_who_its_server_is(void **state)
{
    world              *world = world_new(EITHER);
    vow_future         *reply = world_echo(world, "", NULL);
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;

    (void)state;
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_true(vow_call_connection(vow_future_call(reply), &info));
    assert_string_equal(info.tls_version, "TLSv1.3");
    assert_string_equal(info.peer_subject, "CN=server.test");
    assert_string_equal(info.peer_names[0], "dns:localhost");
    assert_string_equal(info.peer_names[1], "ip:127.0.0.1");
    assert_null(info.peer_names[2]);
    vow_drop(reply);
    world_free(world);
}

/* Certificates that are no good, and others in their place */

static const char *listen_error(const vow_tls_options *options)
{
    static vow_error error;
    vow_loop        *loop = vow_loop_simulated(1);
    vow_server      *server = vow_server_open(loop, VOW_SERVER(.tls = options));

    error = (vow_error){ VOW_OK, "" };
    vow_server_listen(server, "tcp://127.0.0.1:1", &error);
    vow_server_close(server);
    vow_loop_close(loop);
    return error.message;
}

static void a_file_that_is_no_good_is_told_when_the_server_listens(void **state)
{
    const certificate *server = certificate_of_server();
    const char        *text = certificate_text(server);

    (void)state;
    assert_string_equal(listen_error(VOW_TLS()),
                        "cannot listen on tcp://127.0.0.1:1: a server's TLS needs a certificate and "
                        "its key: tls.certificate_file and tls.key_file");
    assert_string_equal(
        listen_error(VOW_TLS(.certificate_file = "/nowhere/a.pem")),
        "cannot listen on tcp://127.0.0.1:1: tls.certificate_file \"/nowhere/a.pem\": No such file or "
        "directory");
    assert_has(listen_error(VOW_TLS(.certificate_file = "/")), "tls.certificate_file \"/\": Is a directory");
    assert_has(listen_error(VOW_TLS(.certificate_pem = text, .key_file = "/")),
               "tls.key_file \"/\": Is a directory");
    assert_has(listen_error(VOW_TLS(.certificate_pem = "hello")),
               "tls.certificate_pem: there is no certificate in it");
    assert_has(listen_error(VOW_TLS(.certificate_pem = text)),
               "tls.certificate_pem: there is no private key in it");
    assert_has(
        listen_error(VOW_TLS(.certificate_pem = text, .key_pem = certificate_key(certificate_of_ca()))),
        "tls.key_pem: the private key is not that of the certificate");
    assert_has(listen_error(VOW_TLS(OWN(server), .ticket_secret = "thirty-one bytes are too few...")),
               "tls.ticket_secret has 31 bytes; it takes 32 or more, of chance");
    assert_has(listen_error(VOW_TLS(OWN(server), .ca_file = "/nowhere/ca.pem")),
               "tls.ca_file \"/nowhere/ca.pem\": No such");
}

static void assert_calls_tell(const vow_tls_options *options, const char *what)
{
    world       *world = world_new(WORLD_TLS);
    vow_channel *channel = vow_channel_open(world->loop, world->target, VOW_CHANNEL(.tls = options));
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *text;

    request.text = "";
    text = world_error(world, calls_calls_echo(channel, &request, NULL));
    assert_begins(text, "INVALID_ARGUMENT: tls://127.0.0.1:");
    assert_has(text, what);
    vow_channel_close(channel);
    world_free(world);
}

static void a_channels_calls_tell_of_a_file_that_is_no_good(void **state)
{
    (void)state;
    assert_calls_tell(VOW_TLS(.ca_file = "/nowhere"),
                      ": tls.ca_file \"/nowhere\": No such file or directory");
    assert_calls_tell(VOW_TLS(.key_file = "/nowhere"),
                      ": tls.key_file is given, and its certificate is not: tls.certificate_file");
    assert_calls_tell(VOW_TLS(.key_pem = certificate_key(certificate_of_ca())),
                      ": tls.key_pem is given, and its certificate is not: tls.certificate_file");
}

static void options_of_tls_fail_the_calls_of_a_target_without_it(void **state)
{
    const vow_tls_options *given[] = { VOW_TLS(.ca_pem = certificate_text(certificate_of_ca())),
                                       VOW_TLS(.server_name = "localhost"), VOW_TLS(.trusts_anybody = true),
                                       VOW_TLS(.certificate_file = "a.pem"), VOW_TLS() };

    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        world      *world = world_new_with(i % 2 ? WORLD_GRPC : WORLD_TCP, NULL, VOW_CHANNEL(.tls = given[i]));
        const char *text = world_error(world, world_echo(world, "", NULL));
        char        expected[400];

        snprintf(expected, sizeof expected,
                 "INVALID_ARGUMENT: %s: options of TLS are set (VOW_CHANNEL(.tls = ...)), and this target is without: "
                 "write tls:// or grpcs://, or leave them out",
                 world->target);
        assert_string_equal(text, i == sizeof given / sizeof given[0] - 1 ? "OK" : expected);
        world_free(world);
    }
}

static void write_file(const char *path, const char *first, const char *second)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fprintf(file, "%s%s", first, second);
    fclose(file);
}

static const char *server_seen(world *world)
{
    static char         subject[100];
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;
    vow_future         *reply = world_echo(world, "", VOW_CALL(.wait_for_ready = true));

    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_true(vow_call_connection(vow_future_call(reply), &info));
    snprintf(subject, sizeof subject, "%s", info.peer_subject);
    vow_drop(reply);
    return subject;
}

static void new_connections_have_the_certificates_that_were_reloaded(void **state)
{
    certificate *next =
        certificate_new("next", CERTIFICATE(.names = "IP:127.0.0.1", .issuer = certificate_of_ca()));
    vow_error error;
    char      path[100];
    world    *world;

    (void)state;
    snprintf(path, sizeof path, "/tmp/vow-tls-%ld.pem", (long)getpid());
    write_file(path, certificate_text(certificate_of_server()), certificate_key(certificate_of_server()));
    world = world_new_with(WORLD_TLS, VOW_SERVER(.tls = VOW_TLS(.certificate_file = path)), NULL);
    assert_string_equal(server_seen(world), "CN=server.test");
    write_file(path, certificate_text(next), certificate_key(next));
    assert_int_equal(vow_server_reload_tls(world->server, NULL, &error), VOW_OK);
    assert_string_equal(server_seen(world), "CN=server.test"); /* the connection there is goes on */
    vow_channel_cut(world->channel);
    assert_string_equal(server_seen(world), "CN=next");
    write_file(path, "broken", "");
    assert_int_equal(vow_server_reload_tls(world->server, NULL, &error), VOW_INVALID_ARGUMENT);
    assert_has(error.message, "there is no certificate in it");
    vow_channel_cut(world->channel);
    assert_string_equal(server_seen(world), "CN=next");
    unlink(path);
    world_free(world);
    certificate_free(next);
}

static bool next_connection_is_resumed(world *world)
{
    vow_connection_info info = VOW_CONNECTION_INFO_INIT;
    vow_future         *reply;

    vow_channel_cut(world->channel);
    reply = world_echo(world, "", VOW_CALL(.wait_for_ready = true));
    assert_int_equal(vow_wait(reply), VOW_OK);
    assert_true(vow_call_connection(vow_future_call(reply), &info));
    assert_string_equal(info.peer_subject, "CN=server.test");
    vow_drop(reply);
    return info.tls_was_resumed;
}

static void a_channel_resumes_until_the_server_is_somebody_else(void **state)
{
    certificate *next = certificate_new(
        "server.test", CERTIFICATE(.names = "DNS:localhost,IP:127.0.0.1", .issuer = certificate_of_ca()));

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        world    *world = world_new(all_kinds[i]);
        vow_error error;

        assert_false(next_connection_is_resumed(world));
        assert_true(next_connection_is_resumed(world));
        assert_int_equal(vow_server_reload_tls(world->server, NULL, &error), VOW_OK);
        assert_true(
            next_connection_is_resumed(world)); /* by another context of OpenSSL's, as on another thread */
        if (all_kinds[i] != WORLD_TLS_MEMORY) {
            assert_int_equal(vow_server_reload_tls(world->server, VOW_TLS(OWN(next)), &error), VOW_OK);
            assert_false(next_connection_is_resumed(world));
            assert_true(next_connection_is_resumed(world));
        }
        world_free(world);
    }
    certificate_free(next);
}

static bool is_resumed_after_reload(world *world, const vow_tls_options *tls)
{
    vow_error error;

    assert_int_equal(vow_server_reload_tls(world->server, tls, &error), VOW_OK);
    return next_connection_is_resumed(world);
}

static void servers_resume_each_others_sessions_when_secret_and_trust_are_the_same(void **state)
{
    const certificate *own = certificate_of_server();
    const char        *ca = certificate_text(certificate_of_ca());
    char               secret[] = "thirty-two bytes that nobody knows";
    char               other[] = "thirty-two bytes of somebody else's";
    world             *world = world_new(WORLD_TLS);

    (void)state;
    assert_false(next_connection_is_resumed(world));
    assert_false(is_resumed_after_reload(world, VOW_TLS(OWN(own), .ticket_secret = secret)));
    assert_true(is_resumed_after_reload(world, VOW_TLS(OWN(own), .ticket_secret = secret)));
    assert_false(is_resumed_after_reload(world, VOW_TLS(OWN(own), .ticket_secret = other)));
    assert_true(is_resumed_after_reload(world, VOW_TLS(OWN(own), .ticket_secret = other)));
    /* Who was not verified does not get in where clients are. */
    assert_false(is_resumed_after_reload(
        world, VOW_TLS(OWN(own), .ticket_secret = other, .ca_pem = ca, .may_be_anonymous = true)));
    world_free(world);
}

static void a_client_that_resumes_is_still_who_it_was(void **state)
{
    static const vow_handler empty_handler = { .size = sizeof empty_handler,
                                               .method = &calls_calls_echo_method,
                                               .serve = answer_empty };
    const char              *ca = certificate_text(certificate_of_ca());
    certificate             *alice = certificate_new(
                    "alice", CERTIFICATE(.names = "DNS:a.example,DNS:b.example", .issuer = certificate_of_ca()));
    world *world =
        world_new_with(WORLD_TLS, VOW_SERVER(.tls = VOW_TLS(OWN(certificate_of_server()), .ca_pem = ca)),
                       VOW_CHANNEL(.tls = VOW_TLS(.ca_pem = ca, OWN(alice))));

    (void)state;
    for (int i = 0; i < 3; i++) {
        vow_server_handle(world->server, &empty_handler);
        assert_int_equal(next_connection_is_resumed(world), i > 0);
        vow_server_handle(world->server, &identity_handler);
        assert_has(world_error(world, world_echo(world, "", NULL)),
                   "CN=alice of CN=vow test CA: dns:a.example dns:b.example");
    }
    world_free(world);
    certificate_free(alice);
}

static void a_server_without_tls_has_nothing_to_reload(void **state)
{
    world    *world = world_new(WORLD_SIMULATED);
    vow_error error;

    (void)state;
    assert_int_equal(vow_server_reload_tls(world->server, NULL, &error), VOW_FAILED_PRECONDITION);
    assert_has(error.message, "the server was opened without TLS");
    world_free(world);
}

/* Memory that vow does not see is counted at what a connection was measured to take. */
static void a_connection_beyond_max_memory_is_refused_and_the_others_go_on(void **state)
{
    const vow_tls_options *tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));

    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        world *world = world_new_with(all_kinds[i], VOW_SERVER(.max_memory = 3 * VOW_TLS_HIDDEN - 1), NULL);
        vow_channel *second = vow_channel_open(world->loop, world->target, VOW_CHANNEL(.tls = tls));
        vow_channel *third = vow_channel_open(world->loop, world->target, VOW_CHANNEL(.tls = tls));
        Calls__Text  request = CALLS__TEXT__INIT;

        assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
        assert_string_equal(world_error(world, calls_calls_echo(second, &request, NULL)), "OK");
        assert_has(world_error(world, calls_calls_echo(third, &request, NULL)),
                   "the server holds 32768 bytes for its peers, its limit (max_memory)");
        assert_string_equal(world_error(world, world_echo(world, "", NULL)), "OK");
        vow_channel_close(second);
        assert_string_equal(
            world_error(world, calls_calls_echo(third, &request, VOW_CALL(.wait_for_ready = true))), "OK");
        vow_channel_close(third);
        world_free(world);
    }
}

/* Three quarters of max_memory and more belong to connections that do nothing. */
static void connections_that_are_idle_slow_down_no_other(void **state)
{
    enum { IDLE = 46 };
    const vow_tls_options *tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));
    world                 *world = world_new_with(WORLD_TLS_SIMULATED, VOW_SERVER(.max_memory = 1 << 20), NULL);
    char                   text[20001];
    vow_channel           *idle[IDLE];
    vow_future            *replies[3];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < IDLE; i++) {
        idle[i] = vow_channel_open(world->loop, world->target, VOW_CHANNEL(.tls = tls));
        assert_string_equal(world_error(world, vow_channel_ready(idle[i])), "OK");
    }
    for (size_t i = 0; i < 3; i++) {
        replies[i] = world_hold(world, text, VOW_CALL(.timeout_ms = VOW_NO_TIMEOUT));
        world_wait_for_held(world, i + 1);
    }
    for (size_t i = 0; i < 3; i++) {
        world_answer_held(world, "");
        assert_int_equal(world_settle(world, replies[i]), VOW_OK);
    }
    for (size_t i = 0; i < IDLE; i++)
        vow_channel_close(idle[i]);
    world_free(world);
}

/* One port */

static const char *channel_error(world *world, const char *scheme, const vow_tls_options *tls)
{
    char         target[200];
    vow_channel *channel;
    Calls__Text  request = CALLS__TEXT__INIT;
    const char  *text;

    snprintf(target, sizeof target, "%s%s", scheme, strstr(world->address, "://") + 3);
    channel = vow_channel_open(world->loop, target, VOW_CHANNEL(.tls = tls, .connect_timeout_ms = 500));
    request.text = "";
    text = world_error(world, calls_calls_echo(channel, &request, NULL));
    vow_channel_close(channel);
    return text;
}

static void one_port_serves_all_protocols_with_and_without_tls(void **state)
{
    static const world_kind kinds[] = { WORLD_TLS, WORLD_TLS_SIMULATED };
    const vow_tls_options  *tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        world *world = world_new(kinds[i]);

        assert_string_equal(channel_error(world, "tcp://", NULL), "OK");
        assert_string_equal(channel_error(world, GRPC_OR_TCP, NULL), "OK");
        assert_string_equal(channel_error(world, "tls://", tls), "OK");
        assert_string_equal(channel_error(world, GRPCS_OR_TLS, tls), "OK");
        world_free(world);
    }
}

static void a_port_that_requires_tls_says_so_to_who_comes_without(void **state)
{
    const vow_tls_options *tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));
    world                 *world = world_new_with(
                        WORLD_TLS, VOW_SERVER(.tls = VOW_TLS(OWN(certificate_of_server()), .is_required = true)), NULL);

    (void)state;
    assert_has(channel_error(world, "tcp://", NULL),
               "this port takes TLS only (tls.is_required): call tls:// or grpcs://");
    assert_has(channel_error(world, GRPC_OR_TCP, NULL),
               "this port takes TLS only (tls.is_required): call tls:// or grpcs://");
    assert_string_equal(channel_error(world, "tls://", tls), "OK");
    assert_string_equal(channel_error(world, GRPCS_OR_TLS, tls), "OK");
    world_free(world);
}

static void a_client_with_tls_is_told_that_the_server_has_none(void **state)
{
    world *world = world_new(WORLD_TCP);

    (void)state;
    assert_has(channel_error(world, "tls://", NULL),
               ": the peer refused with the TLS alert \"protocol version\"; it speaks "
               "neither TLS 1.2 nor 1.3, or has no TLS at all");
    assert_has(channel_error(world, GRPCS_OR_TLS, NULL), "or has no TLS at all");
    world_free(world);
}

/* Peers that misbehave */

/* A server that is not vow's: sends `data` to who connects, and closes if it says so. */
static const char *foreign_server_error(const char *scheme, const void *data, size_t size, bool closes)
{
    static char  text[1024];
    world       *world = world_new(WORLD_TCP);
    char         address[160];
    char         target[170];
    int          listener = raw_listen(WORLD_TCP, address);
    vow_channel *channel;
    raw_peer    *peer;
    vow_future  *reply;
    Calls__Text  request = CALLS__TEXT__INIT;

    snprintf(target, sizeof target, "%s%s", scheme, address + strlen("tcp://"));
    channel = vow_channel_open(world->loop, target, VOW_CHANNEL(.connect_timeout_ms = 300));
    request.text = "";
    reply = calls_calls_echo(channel, &request, NULL);
    peer = raw_accept(world, listener);
    raw_send(peer, data, size);
    if (closes)
        shutdown(peer->fd, SHUT_WR);
    snprintf(text, sizeof text, "%s", world_error(world, reply));
    vow_channel_close(channel);
    raw_free(peer);
    close(listener);
    world_free(world);
    return text;
}

static void what_is_no_tls_is_told_for_what_it_is(void **state)
{
    static const uint8_t settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };
    static const uint8_t half_a_record[] = { 0x16, 3, 3, 0x40, 0, 2, 0 };

    (void)state;
    assert_has(foreign_server_error("tls://", "\x8dvow\r\n\x1a\n", 8, false),
               ": the peer does not speak TLS: it speaks vow without TLS (tcp://)");
    assert_has(foreign_server_error("tls://", "SSH-2.0-x\r\n", 11, false),
               ": the peer does not speak TLS: what came is something else");
    assert_has(foreign_server_error(GRPCS_OR_TLS, settings, sizeof settings, false),
               ": the peer does not speak TLS: it speaks HTTP/2 without TLS (grpc://)");
    assert_has(foreign_server_error(GRPCS_OR_TLS, "HTTP/1.1 400 Bad Request\r\n\r\n", 28, true),
               ": the peer does not speak TLS: it speaks HTTP/1 without TLS");
    assert_has(foreign_server_error("tls://", half_a_record, sizeof half_a_record, true),
               ": the peer closed the connection during the TLS handshake");
    assert_has(foreign_server_error("tls://", "", 0, true),
               ": the peer closed the connection during the TLS handshake");
    assert_has(foreign_server_error("tls://", "", 0, false),
               ": still waiting for the TLS handshake after 300 ms (connect_timeout_ms)");
}

static void garbage_in_the_handshake_ends_its_connection_alone(void **state)
{
    static const uint8_t garbage[] = { 0x16, 3, 1, 0, 5, 1, 0xff, 0xff, 0xff, 0 };
    static const uint8_t half[] = { 0x16 };
    world               *world = world_new(WORLD_TLS);
    raw_peer            *first = raw_connect(world);
    raw_peer            *second = raw_connect(world);

    (void)state;
    raw_send(first, garbage, sizeof garbage);
    raw_send(second, half, sizeof half);
    raw_run_to_end(first);
    shutdown(second->fd, SHUT_WR);
    raw_run_to_end(second);
    assert_int_equal(world_settle(world, world_echo(world, "", NULL)), VOW_OK);
    raw_free(first);
    raw_free(second);
    world_free(world);
}

static void a_handshake_that_stalls_is_ended_by_hello_timeout_ms(void **state)
{
    static const uint8_t half[] = { 0x16, 3, 1, 2, 0, 1, 0 };
    world               *world = world_new_with(WORLD_TLS, VOW_SERVER(.hello_timeout_ms = 100), NULL);
    raw_peer            *peer = raw_connect(world);

    (void)state;
    raw_send(peer, half, sizeof half);
    raw_run_to_end(peer);
    raw_free(peer);
    world_free(world);
}

/* Sizes */

static void messages_of_every_size_arrive_whole(void **state)
{
    static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 65536, 100000, 3 << 20 };

    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        world *world = world_new(all_kinds[kind]);

        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            Calls__Block        request = CALLS__BLOCK__INIT;
            uint8_t            *body = malloc(sizes[i] + 1);
            vow_future         *reply;
            const Calls__Block *got;

            assert_non_null(body);
            for (size_t at = 0; at < sizes[i]; at++)
                body[at] = (uint8_t)(at * 7 + at / 251);
            request.body = (ProtobufCBinaryData){ .data = body, .len = sizes[i] };
            reply = calls_calls_echo_block(world->channel, &request, NULL);
            assert_int_equal(vow_wait(reply), VOW_OK);
            got = vow_future_value(reply);
            assert_int_equal(got->body.len, sizes[i]);
            if (sizes[i])
                assert_memory_equal(got->body.data, body, sizes[i]);
            vow_drop(reply);
            free(body);
        }
        world_free(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_answered_on_every_kind_of_transport),
        cmocka_unit_test(a_ca_that_is_not_trusted_is_named_with_what_to_do),
        cmocka_unit_test(a_certificate_that_has_expired_is_told_with_the_day),
        cmocka_unit_test(a_certificate_for_others_is_told_with_whom_it_is_for),
        cmocka_unit_test(a_certificate_that_signs_itself_is_trusted_when_it_is_given),
        cmocka_unit_test(a_chain_with_an_intermediate_ca_leads_to_the_one_that_is_trusted),
        cmocka_unit_test(a_certificate_for_another_use_is_refused),
        cmocka_unit_test(a_certificate_issued_by_one_that_is_no_ca_is_refused),
        cmocka_unit_test(a_handler_sees_who_its_caller_is),
        cmocka_unit_test(a_server_with_a_ca_wants_certificates_unless_clients_may_be_anonymous),
        cmocka_unit_test(a_caller_sees_who_its_server_is),
        cmocka_unit_test(a_file_that_is_no_good_is_told_when_the_server_listens),
        cmocka_unit_test(a_channels_calls_tell_of_a_file_that_is_no_good),
        cmocka_unit_test(options_of_tls_fail_the_calls_of_a_target_without_it),
        cmocka_unit_test(new_connections_have_the_certificates_that_were_reloaded),
        cmocka_unit_test(a_channel_resumes_until_the_server_is_somebody_else),
        cmocka_unit_test(servers_resume_each_others_sessions_when_secret_and_trust_are_the_same),
        cmocka_unit_test(a_client_that_resumes_is_still_who_it_was),
        cmocka_unit_test(a_server_without_tls_has_nothing_to_reload),
        cmocka_unit_test(a_connection_beyond_max_memory_is_refused_and_the_others_go_on),
        cmocka_unit_test(connections_that_are_idle_slow_down_no_other),
        cmocka_unit_test(one_port_serves_all_protocols_with_and_without_tls),
        cmocka_unit_test(a_port_that_requires_tls_says_so_to_who_comes_without),
        cmocka_unit_test(a_client_with_tls_is_told_that_the_server_has_none),
        cmocka_unit_test(what_is_no_tls_is_told_for_what_it_is),
        cmocka_unit_test(garbage_in_the_handshake_ends_its_connection_alone),
        cmocka_unit_test(a_handshake_that_stalls_is_ended_by_hello_timeout_ms),
        cmocka_unit_test(messages_of_every_size_arrive_whole),
    };

    return cmocka_run_group_tests_name("TLS", tests, NULL, NULL);
}
