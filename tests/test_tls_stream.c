/*
 * The stream that TLS is, against a peer that is OpenSSL alone, over a stream of which the test has both
 * ends: what the peer sends can be cut, broken and counted byte for byte. All on the simulated network, which
 * cuts as it likes.
 */
#include "runtime/transport/tls.h"
#include "tests/support/certificates.h"
#include "tests/support/failing.h"

#include <vow/testing.h>
#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GOT_MAX ((size_t)1 << 20)
#define ADDRESS "tcp://127.0.0.1:7000"
#define RECORDS_MAX 4096

/* Our end: a client's TLS stream, and what befell it */

typedef struct end {
    vow_stream *stream; /* NULL: closed */
    uint8_t    *got;
    size_t      got_size;
    size_t      room;         /* bytes at a time */
    size_t      pauses_after; /* bytes; 0: never */
    size_t      reads;
    size_t      written;
    bool        has_closed;
    vow_code    code;
    char        why[400];
} end;

/* The foreign one: a plain stream below, and OpenSSL's two queues of records */
typedef struct foreign {
    vow_stream *stream; /* NULL: closed */
    SSL_CTX    *context;
    SSL        *ssl;
    BIO        *in;
    BIO        *out;
    uint8_t     block[4096];
    uint8_t    *sending;
    size_t      records; /* of the other side's application data that came */
    uint8_t     head[5]; /* of the record that comes */
    size_t      head_size;
    size_t      record_left;
    uint8_t    *got;
    size_t      got_size;
    bool        holds_back; /* sends nothing by itself */
} foreign;

typedef struct pair {
    vow_loop        *loop;
    vow_listener    *listener;
    vow_tls_context *context;
    end              end;
    foreign          foreign;
} pair;

/* Our end */

static void end_opened(void *owner)
{
    (void)owner;
}

static vow_room end_room(void *owner)
{
    end   *end = owner;
    size_t left = GOT_MAX - end->got_size;

    return (vow_room){ end->got + end->got_size, left < end->room ? left : end->room };
}

static void end_read(void *owner, size_t size)
{
    end *end = owner;

    end->got_size += size;
    end->reads++;
    if (end->pauses_after && end->got_size >= end->pauses_after) {
        vow_stream_pause(end->stream);
        end->pauses_after = 0;
    }
}

static void end_written(void *owner)
{
    ((end *)owner)->written++;
}

static void end_closed(void *owner, const vow_status *why)
{
    end *end = owner;

    end->stream = NULL;
    end->has_closed = true;
    end->code = why->code;
    snprintf(end->why, sizeof end->why, "%s", vow_status_message(why));
}

static const vow_stream_events end_events = { end_opened, end_room, end_read, end_written, end_closed };

/* What connects below: becomes the stream that TLS is put on. */
static void below_opened(void *owner)
{
    pair       *pair = owner;
    vow_stream *below = pair->end.stream;

    pair->end.stream = vow_tls_connected(pair->context, below, "localhost", ADDRESS);
    if (pair->end.stream)
        vow_stream_adopt(pair->end.stream, &end_events, &pair->end);
    else
        pair->end.has_closed = true;
}

static vow_room below_room(void *owner)
{
    (void)owner;
    return (vow_room){ NULL, 0 };
}

static void below_closed(void *owner, const vow_status *why)
{
    end_closed(&((pair *)owner)->end, why);
}

static const vow_stream_events below_events = { .opened = below_opened,
                                                .room = below_room,
                                                .closed = below_closed };

/* The foreign end */

static void foreign_pump(foreign *foreign);

/* Counts records of application data as they come. */
static void foreign_count(foreign *foreign, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (foreign->record_left > 0) {
            foreign->record_left--;
            continue;
        }
        foreign->head[foreign->head_size++] = data[i];
        if (foreign->head_size < 5)
            continue;
        foreign->records += foreign->head[0] == 23;
        foreign->record_left = (size_t)foreign->head[3] << 8 | foreign->head[4];
        foreign->head_size = 0;
    }
}

static vow_room foreign_room(void *owner)
{
    foreign *foreign = owner;

    return (vow_room){ foreign->block, sizeof foreign->block };
}

static void foreign_read(void *owner, size_t size)
{
    foreign *foreign = owner;

    foreign_count(foreign, foreign->block, size);
    BIO_write(foreign->in, foreign->block, (int)size);
    foreign_pump(foreign);
}

static void foreign_written(void *owner)
{
    foreign *foreign = owner;

    free(foreign->sending);
    foreign->sending = NULL;
    foreign_pump(foreign);
}

static void foreign_closed(void *owner, const vow_status *why)
{
    (void)why;
    ((foreign *)owner)->stream = NULL;
}

static const vow_stream_events foreign_events = { end_opened, foreign_room, foreign_read, foreign_written,
                                                  foreign_closed };

static void foreign_send_bytes(foreign *foreign, const void *data, size_t size)
{
    vow_slice slice;

    assert_null(foreign->sending);
    foreign->sending = malloc(size);
    assert_non_null(foreign->sending);
    memcpy(foreign->sending, data, size);
    slice = (vow_slice){ foreign->sending, size };
    if (!vow_stream_write(foreign->stream, &slice, 1))
        return;
    free(foreign->sending);
    foreign->sending = NULL;
}

static void foreign_pump(foreign *foreign)
{
    char  *data;
    size_t size;
    int    got;

    if (!SSL_is_init_finished(foreign->ssl))
        SSL_do_handshake(foreign->ssl);
    while ((got = SSL_read(foreign->ssl, foreign->got + foreign->got_size,
                           (int)(GOT_MAX - foreign->got_size))) > 0)
        foreign->got_size += (size_t)got;
    size = (size_t)BIO_get_mem_data(foreign->out, &data);
    if (size == 0 || foreign->sending || !foreign->stream || foreign->holds_back)
        return;
    foreign_send_bytes(foreign, data, size);
    (void)BIO_reset(foreign->out);
}

static int choose_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                       const unsigned char *offered, unsigned offered_size, void *arg)
{
    (void)ssl;
    (void)offered_size;
    (void)arg;
    *chosen = offered + 1;
    *size = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static void foreign_init(foreign *foreign)
{
    BIO      *text = BIO_new_mem_buf(certificate_text(certificate_of_server()), -1);
    BIO      *key_text = BIO_new_mem_buf(certificate_key(certificate_of_server()), -1);
    X509     *certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_text, NULL, NULL, NULL);

    foreign->context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(foreign->context, certificate);
    SSL_CTX_use_PrivateKey(foreign->context, key);
    SSL_CTX_set_alpn_select_cb(foreign->context, choose_alpn, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(text);
    BIO_free(key_text);
    foreign->got = malloc(GOT_MAX);
    assert_non_null(foreign->got);
}

static void foreign_accept(void *owner, vow_stream *stream)
{
    foreign *foreign = owner;

    foreign->ssl = SSL_new(foreign->context);
    foreign->in = BIO_new(BIO_s_mem());
    foreign->out = BIO_new(BIO_s_mem());
    SSL_set_bio(foreign->ssl, foreign->in, foreign->out);
    SSL_set_accept_state(foreign->ssl);
    foreign->stream = stream;
    vow_stream_adopt(stream, &foreign_events, foreign);
}

/* Both */

static pair *pair_new(void)
{
    static const char *const alpn[] = { "vow/1", NULL };
    pair                    *made = calloc(1, sizeof *made);
    vow_error                error;

    assert_non_null(made);
    made->loop = vow_loop_simulated(7);
    made->end.room = 65536;
    made->end.got = malloc(GOT_MAX);
    assert_non_null(made->end.got);
    foreign_init(&made->foreign);
    assert_int_equal(vow_tls_context_new(false, VOW_TLS(.ca_pem = certificate_text(certificate_of_ca())),
                                         alpn, &made->context, &error),
                     VOW_OK);
    assert_int_equal(
        vow_listener_open(made->loop, ADDRESS, NULL, foreign_accept, &made->foreign, &made->listener, &error),
        VOW_OK);
    return made;
}

static void pair_connect(pair *pair)
{
    vow_error error;

    pair->end.stream = vow_stream_connect(pair->loop, ADDRESS, &below_events, pair, &error);
    assert_non_null(pair->end.stream);
}

static void pair_free(pair *pair)
{
    if (pair->end.stream)
        vow_stream_close(pair->end.stream);
    if (pair->foreign.stream)
        vow_stream_close(pair->foreign.stream);
    vow_listener_close(pair->listener);
    vow_tls_context_drop(pair->context);
    vow_loop_close(pair->loop);
    SSL_free(pair->foreign.ssl);
    SSL_CTX_free(pair->foreign.context);
    free(pair->foreign.sending);
    free(pair->foreign.got);
    free(pair->end.got);
    free(pair);
}

static void pair_run(pair *pair, int ms)
{
    vow_loop_advance(pair->loop, ms);
}

/* Both have shaken hands. */
static pair *pair_open(void)
{
    pair *pair = pair_new();

    pair_connect(pair);
    pair_run(pair, 1000);
    assert_false(pair->end.has_closed);
    assert_false(vow_stream_is_shaking_hands(pair->end.stream));
    assert_string_equal(vow_stream_alpn(pair->end.stream), "vow/1");
    return pair;
}

static void foreign_say(foreign *foreign, const void *data, size_t size)
{
    assert_int_equal(SSL_write(foreign->ssl, data, (int)size), size);
    foreign_pump(foreign);
}

/* It would say hello: gives the size of the records, which the test may send. */
static size_t foreign_hold_hello(foreign *foreign, uint8_t records[RECORDS_MAX])
{
    int taken;

    foreign->holds_back = true;
    foreign_say(foreign, "hello", 5);
    taken = BIO_read(foreign->out, records, RECORDS_MAX);
    return taken > 0 ? (size_t)taken : 0;
}

static void foreign_finish(foreign *foreign)
{
    vow_stream_finish(foreign->stream);
    foreign->stream = NULL;
}

static void end_finish(end *end)
{
    vow_stream_finish(end->stream);
    end->stream = NULL;
}

static void assert_foreign_got(const pair *pair, const uint8_t *data, size_t size)
{
    assert_int_equal(pair->foreign.got_size, size);
    assert_memory_equal(pair->foreign.got, data, size);
}

static void assert_ended(const pair *pair, vow_code code, const char *why)
{
    assert_true(pair->end.has_closed);
    if (pair->end.code != code || !strstr(pair->end.why, why))
        fail_msg("it ended as %s: %s", vow_code_name(pair->end.code), pair->end.why);
}

/* How it ends */

static void a_goodbye_ends_it_in_order(void **state)
{
    pair *pair = *state;

    foreign_say(&pair->foreign, "hello", 5);
    SSL_shutdown(pair->foreign.ssl);
    foreign_pump(&pair->foreign);
    pair_run(pair, 1000);
    assert_ended(pair, VOW_OK, "");
    assert_int_equal(pair->end.got_size, 5);
    assert_true(SSL_get_shutdown(pair->foreign.ssl) & SSL_RECEIVED_SHUTDOWN); /* and is answered */
}

static void an_end_without_a_goodbye_is_a_cut(void **state)
{
    pair *pair = *state;

    foreign_say(&pair->foreign, "hello", 5);
    pair_run(pair, 1000);
    foreign_finish(&pair->foreign);
    pair_run(pair, 2000);
    assert_ended(pair, VOW_UNAVAILABLE,
                 "the connection was cut: it ended without the goodbye of TLS (close_notify)");
    assert_int_equal(pair->end.got_size, 5);
}

static void half_a_record_is_nothing(void **state)
{
    pair   *pair = *state;
    uint8_t records[RECORDS_MAX];
    size_t  size;

    size = foreign_hold_hello(&pair->foreign, records);
    foreign_send_bytes(&pair->foreign, records, size / 2);
    pair_run(pair, 1000);
    foreign_finish(&pair->foreign);
    pair_run(pair, 2000);
    assert_ended(pair, VOW_UNAVAILABLE, "without the goodbye of TLS");
    assert_int_equal(pair->end.got_size, 0);
}

static void a_record_that_was_tampered_with_ends_it(void **state)
{
    pair   *pair = *state;
    uint8_t records[RECORDS_MAX];
    size_t  size;

    size = foreign_hold_hello(&pair->foreign, records);
    records[size - 1] ^= 1;
    foreign_send_bytes(&pair->foreign, records, size);
    pair_run(pair, 2000);
    assert_ended(pair, VOW_UNAVAILABLE, ADDRESS ": TLS failed: decryption failed or bad record mac");
    assert_int_equal(pair->end.got_size, 0);
}

static void what_was_written_before_finishing_arrives_with_a_goodbye(void **state)
{
    static uint8_t body[300000];
    pair          *pair = *state;
    vow_slice      slice = { body, sizeof body };

    memset(body, 'b', sizeof body);
    if (!vow_stream_write(pair->end.stream, &slice, 1)) {
        while (pair->end.written == 0)
            pair_run(pair, 1);
    }
    end_finish(&pair->end);
    pair_run(pair, 2000);
    assert_int_equal(pair->foreign.got_size, sizeof body);
    assert_true(SSL_get_shutdown(pair->foreign.ssl) & SSL_RECEIVED_SHUTDOWN);
    assert_false(pair->end.has_closed);
}

/* Reading and writing */

static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 253);
}

static void bytes_arrive_however_small_the_room_is(void **state)
{
    static uint8_t      body[50000];
    static const size_t rooms[] = { 1, 7, 16384, 16385, 65536 };

    (void)state;
    fill(body, sizeof body);
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        pair *pair = pair_open();

        pair->end.room = rooms[i];
        foreign_say(&pair->foreign, body, sizeof body);
        pair_run(pair, 1000);
        assert_int_equal(pair->end.got_size, sizeof body);
        assert_memory_equal(pair->end.got, body, sizeof body);
        pair_free(pair);
    }
}

static void a_pause_holds_and_a_resume_goes_on_where_it_was(void **state)
{
    static uint8_t body[400000];
    pair          *pair = *state;
    size_t         before;

    fill(body, sizeof body);
    pair->end.room = 1000;
    pair->end.pauses_after = 1500;
    foreign_say(&pair->foreign, body, sizeof body);
    pair_run(pair, 1000);
    before = pair->end.got_size;
    assert_in_range(before, 1500, 2500);
    pair->end.pauses_after = 100000;
    vow_stream_resume(pair->end.stream);
    pair_run(pair, 1000);
    assert_in_range(pair->end.got_size, 100000, 101000);
    vow_stream_resume(pair->end.stream);
    pair_run(pair, 1000);
    assert_int_equal(pair->end.got_size, sizeof body);
    assert_memory_equal(pair->end.got, body, sizeof body);
}

static void slices_are_put_together_in_as_few_records_as_hold_them(void **state)
{
    static uint8_t body[20000];
    pair          *pair = *state;
    size_t         before = pair->foreign.records;
    vow_slice      slices[4];

    fill(body, sizeof body);
    for (size_t i = 0; i < 4; i++)
        slices[i] = (vow_slice){ body + i * 5000, 5000 };
    vow_stream_write(pair->end.stream, slices, 4);
    pair_run(pair, 1000);
    assert_foreign_got(pair, body, sizeof body);
    assert_int_equal(pair->foreign.records - before, 2);
}

static void what_leaves_at_once_is_not_lent(void **state)
{
    static uint8_t body[20000];
    pair          *pair = *state;
    vow_slice      slices[2] = { { body, 7000 }, { body + 7000, 13000 } };
    size_t         left;

    fill(body, sizeof body);
    left = vow_stream_try_write(pair->end.stream, slices, 2);
    assert_int_equal(left, sizeof body);
    pair_run(pair, 1000);
    assert_int_equal(pair->end.written, 0);
    assert_foreign_got(pair, body, sizeof body);
}

static void what_does_not_leave_at_once_keeps_its_order_and_takes_no_more(void **state)
{
    static uint8_t body[900000];
    pair          *pair = *state;
    vow_slice      slice = { body, sizeof body };
    vow_slice      rest;
    size_t         left;

    fill(body, sizeof body);
    vow_stream_pause(pair->foreign.stream);
    while ((left = vow_stream_try_write(pair->end.stream, &slice, 1)) > 0)
        slice = (vow_slice){ slice.data + left, slice.size - left };
    assert_true(slice.size > 0);
    rest = slice;
    assert_false(vow_stream_write(pair->end.stream, &rest, 1));
    pair_run(pair, 1000);
    assert_int_equal(pair->end.written, 0);
    vow_stream_resume(pair->foreign.stream);
    pair_run(pair, 5000);
    assert_int_equal(pair->end.written, 1);
    assert_foreign_got(pair, body, sizeof body);
}

static void what_was_taken_leaves_also_when_the_stream_is_finished(void **state)
{
    static uint8_t body[900000];
    pair          *pair = *state;
    vow_slice      slice = { body, sizeof body };
    size_t         taken;

    fill(body, sizeof body);
    vow_stream_pause(pair->foreign.stream);
    taken = vow_stream_try_write(pair->end.stream, &slice, 1);
    assert_in_range(taken, 1, sizeof body - 1);
    end_finish(&pair->end);
    pair_run(pair, 5000);
    vow_stream_resume(pair->foreign.stream);
    pair_run(pair, 2000);
    assert_foreign_got(pair, body, taken);
    assert_true(SSL_get_shutdown(pair->foreign.ssl) & SSL_RECEIVED_SHUTDOWN);
}

static void what_is_written_before_the_handshake_leaves_after_it(void **state)
{
    pair     *pair = *state;
    vow_slice slice = { (const uint8_t *)"early", 5 };

    pair_connect(pair);
    while (!pair->end.stream || !vow_stream_is_tls(pair->end.stream))
        pair_run(pair, 1);
    assert_false(vow_stream_write(pair->end.stream, &slice, 1));
    assert_int_equal(pair->end.written, 0);
    pair_run(pair, 1000);
    assert_int_equal(pair->end.written, 1);
    assert_int_equal(pair->foreign.got_size, 5);
}

/* What peers may not */

static void a_server_of_tls_1_1_is_refused(void **state)
{
    pair *pair = *state;

    SSL_CTX_set_security_level(pair->foreign.context, 0);
    SSL_CTX_set_min_proto_version(pair->foreign.context, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(pair->foreign.context, TLS1_1_VERSION);
    pair_connect(pair);
    pair_run(pair, 2000);
    assert_ended(
        pair, VOW_UNAVAILABLE,
        "the peer refused with the TLS alert \"protocol version\"; it speaks neither TLS 1.2 nor 1.3");
}

static void tls_1_2_is_spoken_and_not_renegotiated(void **state)
{
    pair *pair = *state;

    SSL_CTX_set_max_proto_version(pair->foreign.context, TLS1_2_VERSION);
    pair_connect(pair);
    pair_run(pair, 1000);
    foreign_say(&pair->foreign, "one", 3);
    pair_run(pair, 1000);
    assert_int_equal(pair->end.got_size, 3);
    SSL_renegotiate(pair->foreign.ssl);
    SSL_do_handshake(pair->foreign.ssl);
    foreign_pump(&pair->foreign);
    pair_run(pair, 2000);
    assert_int_equal(pair->end.got_size, 3);
    assert_int_equal(SSL_renegotiate_pending(pair->foreign.ssl), 1); /* nobody has answered that */
}

static void a_server_that_confirms_no_protocol_is_not_spoken_to(void **state)
{
    pair *pair = *state;

    SSL_CTX_set_alpn_select_cb(pair->foreign.context, NULL, NULL);
    pair_connect(pair);
    pair_run(pair, 2000);
    assert_ended(pair, VOW_UNAVAILABLE,
                 "the server has TLS, and does not say that it speaks \"vow/1\" behind it (ALPN)");
}

static void a_flood_of_key_updates_is_bounded(void **state)
{
    pair *pair = *state;

    pair->foreign.holds_back = true;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(SSL_key_update(pair->foreign.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        SSL_do_handshake(pair->foreign.ssl);
    }
    pair->foreign.holds_back = false;
    foreign_pump(&pair->foreign);
    pair_run(pair, 2000);
    assert_ended(pair, VOW_RESOURCE_EXHAUSTED,
                 "the peer has changed its keys over 32 times without saying anything");
}

/* Each asks for an answer, and with a byte of data between them there may be any number. */
static void answers_that_are_not_taken_are_bounded(void **state)
{
    static uint8_t body[900000];
    pair          *pair = *state;
    vow_slice      slice = { body, sizeof body };

    vow_stream_pause(pair->foreign.stream);
    while (vow_stream_try_write(pair->end.stream, &slice, 1) > 0)
        continue;
    pair->foreign.holds_back = true;
    for (int i = 0; i < 12000; i++) {
        assert_int_equal(SSL_key_update(pair->foreign.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_write(pair->foreign.ssl, "x", 1), 1);
    }
    pair->foreign.holds_back = false;
    foreign_pump(&pair->foreign);
    pair_run(pair, 10000);
    assert_ended(pair, VOW_RESOURCE_EXHAUSTED,
                 "the peer reads nothing: over 262144 bytes of TLS's own wait to be sent");
    assert_in_range(pair->end.got_size, 5000, 11000);
}

static int set_up(void **state)
{
    *state = pair_new();
    return 0;
}

static int set_up_opened(void **state)
{
    *state = pair_open();
    return 0;
}

static int tear_down(void **state)
{
    pair_free(*state);
    return 0;
}

#define NEW(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define OPENED(test) cmocka_unit_test_setup_teardown(test, set_up_opened, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OPENED(a_goodbye_ends_it_in_order),
        OPENED(an_end_without_a_goodbye_is_a_cut),
        OPENED(half_a_record_is_nothing),
        OPENED(a_record_that_was_tampered_with_ends_it),
        OPENED(what_was_written_before_finishing_arrives_with_a_goodbye),
        cmocka_unit_test(bytes_arrive_however_small_the_room_is),
        OPENED(a_pause_holds_and_a_resume_goes_on_where_it_was),
        OPENED(slices_are_put_together_in_as_few_records_as_hold_them),
        OPENED(what_leaves_at_once_is_not_lent),
        OPENED(what_does_not_leave_at_once_keeps_its_order_and_takes_no_more),
        OPENED(what_was_taken_leaves_also_when_the_stream_is_finished),
        NEW(what_is_written_before_the_handshake_leaves_after_it),
        NEW(a_server_of_tls_1_1_is_refused),
        NEW(tls_1_2_is_spoken_and_not_renegotiated),
        NEW(a_server_that_confirms_no_protocol_is_not_spoken_to),
        OPENED(a_flood_of_key_updates_is_bounded),
        OPENED(answers_that_are_not_taken_are_bounded),
    };

    return cmocka_run_group_tests_name("TLS's stream", tests, NULL, NULL);
}
