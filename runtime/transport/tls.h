/*
 * TLS, as a stream that wraps another stream.
 *
 * The idea: a context is what a channel or a server is and trusts, made once; a stream made with it has the
 * whole contract of transport.h, the handshake included: it takes a write before the handshake is done, and
 * lends it until then. What was wrong with which certificate comes as `closed`, in words.
 *
 *     protocol --plain--> vow_stream (TLS) --records--> vow_stream (tcp, unix, memory, simulated)
 *
 * The rule: OpenSSL is included below runtime/transport/tls/ and nowhere else. A build without it has
 * stand-ins that say so.
 *
 * Sources: RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2), RFC 7301 (ALPN), RFC 6066 section 3 (SNI), RFC 6125
 * (names).
 */
#ifndef VOW_TRANSPORT_TLS_H
#define VOW_TRANSPORT_TLS_H

#include "runtime/transport/transport.h"

#include <vow/tls.h>

typedef struct vow_tls_context vow_tls_context;

/* The first byte of a TLS handshake. */
#define VOW_TLS_FIRST_BYTE 0x16

/* Names of a certificate that are kept; what is beyond is left out, so nobody is taken for it. */
#define VOW_TLS_NAMES_MAX 64

/* Of a subject or an issuer as text; longer ones fail the handshake. */
#define VOW_TLS_TEXT_MAX 1024

/* What the handshake found out. One block of memory: vow_free. */
typedef struct vow_tls_facts {
    const char *version; /* "TLSv1.3" */
    const char *subject; /* of the peer's certificate, "CN=alice,O=Example"; NULL: it has none */
    const char *issuer;
    const char *const
        *names; /* "dns:alice.example", "uri:spiffe://…", "email:…", "ip:10.0.0.7"; ended by NULL */
    bool was_resumed;
} vow_tls_facts;

/* Reads certificates and keys. `alpn` is the protocols that are spoken, ended by NULL: a server has them in
 * the order of its liking, a client speaks one. Gives the context (vow_tls_context_drop). Fails
 * VOW_INVALID_ARGUMENT, which names the file and says what is wrong with it. VOW_RESOURCE_EXHAUSTED.
 *         VOW_UNIMPLEMENTED: this build has no TLS. */
vow_code vow_tls_context_new(bool is_server, const vow_tls_options *options, const char *const *alpn,
                             vow_tls_context **made, vow_error *error);

/* Shares it with streams, on the same thread. */
void vow_tls_context_drop(vow_tls_context *context);

/* Reads the same files again. Otherwise as vow_tls_context_new. */
vow_code vow_tls_context_again(const vow_tls_context *context, vow_tls_context **made, vow_error *error);

/* Whom a client expects in place of the target's host; NULL: nobody else. Lives as long as the context. */
const char *vow_tls_context_server_name(const vow_tls_context *context);

/* Must a client have TLS? */
bool vow_tls_context_is_required(const vow_tls_context *context);

/* A place among those who wait for their handshake to begin (tls.max_handshakes_per_second). */
typedef struct vow_tls_turn {
    vow_link         link;
    vow_tls_context *context; /* NULL: it is in no queue */
    void (*came)(struct vow_tls_turn *turn);
} vow_tls_turn;

typedef enum vow_tls_turn_time { VOW_TLS_TURN_NOW, VOW_TLS_TURN_LATER, VOW_TLS_TURN_TOO_LATE } vow_tls_turn_time;

/* Takes a turn, which begins as { .came = … }. Later: it is lent to the context until `came`, which is told once, or
 * until it is given back. Too late: it would come after `latest_ns`. */
vow_tls_turn_time vow_tls_turn_take(vow_tls_turn *turn, vow_tls_context *context, vow_scheduler *scheduler,
                                    uint64_t latest_ns);

/* Leaves the queue: those behind move up. Does nothing to one that is in none. */
void vow_tls_turn_give(vow_tls_turn *turn);

/* Are as many handshakes under way as may be (tls.max_handshakes)? */
bool vow_tls_context_is_busy(const vow_tls_context *context);

/* Puts TLS on a stream, and takes that one. The handshake begins when the new stream is adopted. A server's
 * owner is told of its end by `opened`; a client's is not, and writes when it likes. `host` is the name that
 * the target has, and `target` all of it, for messages; both are copied. Fails   NULL: no memory; `stream` is
 * closed. */
vow_stream *vow_tls_connected(vow_tls_context *context, vow_stream *stream, const char *host,
                              const char *target);
vow_stream *vow_tls_accepted(vow_tls_context *context, vow_stream *stream);

/* Is this a TLS stream? */
bool vow_stream_is_tls(const vow_stream *stream);

/* And is its handshake still under way? */
bool vow_stream_is_shaking_hands(const vow_stream *stream);

/* Bytes that OpenSSL keeps for an idle connection, and vow's allocator does not see: 13.7 KB of a
 * server's, 18.3 KB of a client's, measured (OpenSSL 3.0, P-256, a certificate on each side). A handshake
 * takes three times as much. */
#define VOW_TLS_HIDDEN ((size_t)16 << 10)

/* As many of this stream; without TLS none. */
size_t vow_stream_hidden_memory(const vow_stream *stream);

/* What ALPN chose, as the context had it; NULL: nothing, or no TLS. */
const char *vow_stream_alpn(const vow_stream *stream);

/* Gives what is known of the peer (vow_free), the first time; NULL: no TLS. */
vow_tls_facts *vow_stream_take_tls_facts(vow_stream *stream);

#endif
