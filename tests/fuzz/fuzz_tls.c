/*
 * A server and a channel over TLS, with a peer that sends anything: in place of a handshake, in the middle of
 * a real one, or behind it.
 *
 *     byte 0      1: to a channel; 2: behind a real handshake; 4: sealed, else as records; 8: one byte of the
 * real handshake is changed; 16: of TLS 1.2; 32: asks for a renegotiation, or new keys byte 1      how many
 * bytes come at a time; 0: all at once bytes 2, 3  which byte of the handshake is changed; byte 4 how then
 * what the peer sends
 *
 * The idea: the peer is OpenSSL over two queues of bytes, which the target carries, cuts and changes. Its
 * keys are drawn anew in each run, so that a record's bytes differ between runs; what is done to them does
 * not.
 */
#include "runtime/transport/transport.h"
#include "tests/support/certificates.h"
#include "tests/support/message_writer.h"

#include <vow/vow.h>

#include "calls.vow.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS "tcp://127.0.0.1:7000"
#define TARGET "tls://127.0.0.1:7000"
#define LONGEST_TIMEOUT_MS 30000
#define HEAD_SIZE 5

enum { TO_CHANNEL = 1, HANDSHAKE = 2, SEALED = 4, CHANGED = 8, TLS_1_2 = 16, ASKS_AGAIN = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct peer {
    vow_stream    *stream; /* NULL: none yet, or closed */
    SSL           *ssl;    /* NULL: speaks no TLS of its own */
    BIO           *in;
    BIO           *out;
    const uint8_t *data; /* the input */
    size_t         size;
    bool           has_said; /* what the input has to say */
    writer         bytes;    /* all that was sent, and is to be */
    size_t         sent;
    uint8_t       *lent; /* NULL: nothing is being written */
    uint8_t        room[4096];
} peer;

static unsigned mode(void)
{
    return peer.data[0];
}

/* Sending, cut as the input wants it */

static void peer_send(void)
{
    size_t at_once = peer.data[1];

    while (peer.stream && peer.sent < peer.bytes.size && !peer.lent) {
        size_t    left = peer.bytes.size - peer.sent;
        size_t    size = at_once && at_once < left ? at_once : left;
        vow_slice slice;

        peer.lent = malloc(size); /* `bytes` may move meanwhile */
        if (!peer.lent)
            return;
        slice = (vow_slice){ memcpy(peer.lent, peer.bytes.data + peer.sent, size), size };
        peer.sent += size;
        if (!vow_stream_write(peer.stream, &slice, 1))
            return;
        free(peer.lent);
        peer.lent = NULL;
    }
}

static void peer_change(uint8_t *data, size_t size)
{
    size_t place = (size_t)peer.data[2] << 8 | peer.data[3];

    if (mode() & CHANGED && place >= peer.bytes.size && place - peer.bytes.size < size)
        data[place - peer.bytes.size] ^= peer.data[4];
}

static void peer_collect(void)
{
    uint8_t records[4096];
    int     got;

    while ((got = BIO_read(peer.out, records, sizeof records)) > 0) {
        peer_change(records, (size_t)got);
        writer_add(&peer.bytes, records, (size_t)got);
    }
}

static void peer_say(void)
{
    const uint8_t *text = peer.data + HEAD_SIZE;
    size_t         size = peer.size - HEAD_SIZE;

    peer.has_said = true;
    if (peer.ssl && mode() & ASKS_AGAIN) {
        if (mode() & TLS_1_2)
            SSL_renegotiate(peer.ssl);
        else
            SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(peer.ssl);
        peer_collect();
    }
    if (peer.ssl && mode() & SEALED && size > 0) {
        SSL_write(peer.ssl, text, (int)size);
        peer_collect();
    } else {
        writer_add(&peer.bytes, text, size);
    }
}

static void peer_go_on(void)
{
    char answer[4096];

    if (peer.ssl && !SSL_is_init_finished(peer.ssl))
        SSL_do_handshake(peer.ssl);
    if (peer.ssl) {
        while (SSL_is_init_finished(peer.ssl) && SSL_read(peer.ssl, answer, sizeof answer) > 0)
            continue;
        peer_collect();
    }
    if (!peer.has_said && (!peer.ssl || SSL_is_init_finished(peer.ssl)))
        peer_say();
    peer_send();
}

/* Events of its stream */

static void peer_opened(void *owner)
{
    (void)owner;
    peer_go_on();
}

static vow_room peer_room(void *owner)
{
    (void)owner;
    return (vow_room){ peer.room, sizeof peer.room };
}

static void peer_read(void *owner, size_t size)
{
    (void)owner;
    if (!peer.ssl)
        return;
    BIO_write(peer.in, peer.room, (int)size);
    peer_go_on();
}

static void peer_written(void *owner)
{
    (void)owner;
    free(peer.lent);
    peer.lent = NULL;
    peer_send();
}

static void peer_closed(void *owner, const vow_status *why)
{
    (void)owner;
    (void)why;
    peer.stream = NULL;
}

static const vow_stream_events peer_events = { peer_opened, peer_room, peer_read, peer_written, peer_closed };

static void peer_accept(void *owner, vow_stream *stream)
{
    (void)owner;
    if (peer.stream || peer.has_said) {
        vow_stream_close(stream);
        return;
    }
    peer.stream = stream;
    vow_stream_adopt(stream, &peer_events, NULL);
    peer_go_on();
}

/* OpenSSL's side of it */

static int choose_first(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                        const unsigned char *offered, unsigned offered_size, void *arg)
{
    (void)ssl;
    (void)offered_size;
    (void)arg;
    *chosen = offered + 1;
    *size = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_of(bool is_server)
{
    static SSL_CTX *contexts[2]; /* made once */
    SSL_CTX        *context = contexts[is_server];
    BIO            *text;

    if (context)
        return context;
    context = contexts[is_server] = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\5vow/1", 6);
    SSL_CTX_set_alpn_select_cb(context, choose_first, NULL);
    text = BIO_new_mem_buf(certificate_text(certificate_of_server()), -1);
    SSL_CTX_use_certificate(context, PEM_read_bio_X509(text, NULL, NULL, NULL));
    BIO_free(text);
    text = BIO_new_mem_buf(certificate_key(certificate_of_server()), -1);
    SSL_CTX_use_PrivateKey(context, PEM_read_bio_PrivateKey(text, NULL, NULL, NULL));
    BIO_free(text);
    return context;
}

static void peer_begin(const uint8_t *data, size_t size)
{
    peer = (struct peer){ .data = data, .size = size };
    if (!(data[0] & HANDSHAKE))
        return;
    peer.ssl = SSL_new(context_of(data[0] & TO_CHANNEL));
    peer.in = BIO_new(BIO_s_mem());
    peer.out = BIO_new(BIO_s_mem());
    SSL_set_bio(peer.ssl, peer.in, peer.out);
    if (data[0] & TLS_1_2)
        SSL_set_max_proto_version(peer.ssl, TLS1_2_VERSION);
    if (data[0] & TO_CHANNEL)
        SSL_set_accept_state(peer.ssl);
    else
        SSL_set_connect_state(peer.ssl);
}

static void peer_end(void)
{
    if (peer.stream)
        vow_stream_close(peer.stream);
    SSL_free(peer.ssl);
    free(peer.lent);
    writer_done(&peer.bytes);
}

/* What it talks to */

static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    (void)arg;
    calls_calls_echo_reply(call, request);
}

static void run_server(vow_loop *loop)
{
    static const calls_calls_service service = { .echo = serve_echo };
    const vow_tls_options *tls = VOW_TLS(.certificate_pem = certificate_text(certificate_of_server()),
                                         .key_pem = certificate_key(certificate_of_server()));
    vow_server            *server = vow_server_open(loop, VOW_SERVER(.tls = tls));
    vow_error              error;

    calls_calls_serve(server, &service, NULL);
    if (vow_server_listen(server, ADDRESS, &error) != VOW_OK)
        abort();
    peer.stream = vow_stream_connect(loop, ADDRESS, &peer_events, NULL, &error);
    vow_loop_advance(loop, LONGEST_TIMEOUT_MS);
    vow_server_close(server);
}

static void run_channel(vow_loop *loop)
{
    const vow_tls_options *tls = VOW_TLS(.ca_pem = certificate_text(certificate_of_ca()));
    vow_channel           *channel = vow_channel_open(loop, TARGET, VOW_CHANNEL(.tls = tls));
    Calls__Text            request = CALLS__TEXT__INIT;
    vow_listener          *listener;
    vow_future            *reply;
    vow_error              error;

    if (vow_listener_open(loop, ADDRESS, NULL, peer_accept, NULL, &listener, &error) != VOW_OK)
        abort();
    reply = calls_calls_echo(channel, &request, NULL);
    vow_loop_advance(loop, LONGEST_TIMEOUT_MS);
    if (!vow_future_settled(reply))
        abort();
    vow_drop(reply);
    vow_channel_close(channel);
    vow_listener_close(listener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vow_loop *loop;

    if (size < HEAD_SIZE)
        return 0;
    loop = vow_loop_simulated(1);
    if (!loop)
        return 0;
    peer_begin(data, size);
    if (data[0] & TO_CHANNEL)
        run_channel(loop);
    else
        run_server(loop);
    peer_end();
    vow_loop_close(loop);
    return 0;
}
