/*
 * The inside of TLS: what its files know of each other.
 *
 *     context.c     what a channel or server is and trusts
 *     sessions.c    what a client resumes
 *     tickets.c     what a server resumes
 *     handshakes.c  how many a server has, a second and at once
 *     stream.c      the stream: its life, the handshake, reading
 *     records.c     what OpenSSL reads and writes, and how it leaves
 *     words.c       what was wrong, as a sentence
 *     facts.c       what is known of the stream and its peer
 */
#ifndef VOW_TRANSPORT_TLS_TLS_H
#define VOW_TRANSPORT_TLS_TLS_H

#include "runtime/transport/tls.h"

#include <openssl/ssl.h>

/* The protocols of a context. */
#define VOW_TLS_ALPN_MAX 4

/* A host's name, or what takes its place. */
#define VOW_TLS_HOST_MAX 256

/* Sessions that a client keeps to resume; TLS 1.3 uses each once. */
#define VOW_TLS_SESSIONS_MAX 4

/* SHA-256's. */
#define VOW_TLS_TRUST 32

/* RFC 5077, section 4: of the key that a ticket was sealed with. */
#define VOW_TLS_TICKET_NAME 16

/* Bytes that tls.ticket_secret has at least. */
#define VOW_TLS_SECRET_MIN 32

/* RFC 8446, section 5.1: the plaintext of a record. */
#define VOW_TLS_RECORD ((size_t)16 << 10)

/* Answers of TLS itself, and of a handshake, that the peer does not take; above a block, and a long chain of
 * certificates. */
#define VOW_TLS_WAITING_MAX ((size_t)256 << 10)

/* A peer may change its keys so often without saying anything: RFC 8446, section 4.6.3, sets no limit. */
#define VOW_TLS_KEY_UPDATES_MAX 32

/* What comes is read in pieces of this size; all connections of a loop read into the same block, and records
 * are put together and sealed in it. */
#define VOW_TLS_READ_BLOCK ((size_t)64 << 10)
#define VOW_TLS_SEALED_BLOCK (4 * (VOW_TLS_RECORD + 512))
_Static_assert(VOW_TLS_READ_BLOCK + VOW_TLS_RECORD + VOW_TLS_SEALED_BLOCK <= VOW_CIPHER_BLOCK,
               "the block holds all three");

typedef struct vow_tls_session {
    SSL_SESSION *session; /* NULL: none */
    char         host[VOW_TLS_HOST_MAX];
} vow_tls_session;

struct vow_tls_context {
    SSL_CTX        *ssl;
    size_t          references;
    bool            is_server;
    uint64_t        next_slot_ns;         /* of a server: for the next handshake that begins */
    vow_list        turns;                /* who waits for one */
    size_t          waiting;              /* so many */
    vow_timer       turn;                 /* of the first of them */
    vow_scheduler  *scheduler;            /* theirs */
    size_t          shaking;              /* handshakes under way */
    uint8_t         trust[VOW_TLS_TRUST]; /* a digest of what a server is and trusts */
    vow_tls_options options;              /* its texts lie behind the struct */
    const char     *alpn[VOW_TLS_ALPN_MAX + 1];
    vow_tls_session sessions[VOW_TLS_SESSIONS_MAX];
};

/* What verification did not like. */
typedef struct vow_tls_fault {
    int  code; /* X509_V_ERR_… */
    int  depth;
    char subject[VOW_TLS_TEXT_MAX];
    char issuer[VOW_TLS_TEXT_MAX];
    char names[VOW_TLS_TEXT_MAX];
    char moment[64];
} vow_tls_fault;

typedef enum vow_tls_state {
    VOW_TLS_SHAKING, /* hands */
    VOW_TLS_OPEN,
    VOW_TLS_ENDED,     /* `why` is on its way to the owner */
    VOW_TLS_FINISHING, /* the owner has gone; the last bytes have not */
    VOW_TLS_CLOSED
} vow_tls_state;

typedef struct vow_tls_stream {
    vow_stream       stream; /* first */
    vow_stream      *inner;  /* NULL: gone */
    vow_tls_context *context;
    SSL             *ssl;
    vow_tls_state    state;
    vow_task         step;   /* begins, goes on after a pause, tells of the end */
    vow_timer        linger; /* bounds finishing */
    vow_status       why;    /* it ended */
    unsigned         holds;  /* of those that are on the stack */
    bool             is_adopted;
    bool             is_counted; /* among the handshakes of the context */
    bool             is_paused;
    bool             is_writing;             /* the owner waits for `written` */
    char             host[VOW_TLS_HOST_MAX]; /* of a client: whom it wants to reach */
    char            *target;                 /* for messages */
    vow_tls_facts   *facts;
    const char      *alpn;
    vow_tls_fault   *fault; /* NULL: none */

    const uint8_t *in; /* what came and was not looked into yet: in the loop's block, or kept */
    size_t         in_size;
    uint8_t       *kept;
    unsigned       key_updates; /* since data came */
    uint8_t        first[8];    /* of what came at all: not everybody speaks TLS */
    size_t         first_size;

    vow_slice slices[VOW_WRITE_SLICES]; /* lent by the owner, not sealed yet */
    size_t    count;
    size_t    sealed;  /* bytes of records in the loop's block */
    uint8_t  *sending; /* lent to `inner`; NULL: it writes nothing */
    uint8_t  *waiting; /* behind that */
    size_t    waiting_size;
} vow_tls_stream;

static inline vow_tls_stream *vow_tls_of(const vow_stream *stream)
{
    return (vow_tls_stream *)(uintptr_t)stream;
}

static inline vow_scheduler *vow_tls_scheduler(const vow_tls_stream *tls)
{
    return vow_scheduler_of(tls->stream.loop);
}

/* stream.c */

extern const vow_transport vow_transport_tls;

/* Ends the stream: `why`, which is given, is told to its owner from the queue. */
void vow_tls_fail(vow_tls_stream *tls, vow_status why);

/* records.c */

/* Gives a BIO that reads what `tls` has in `in`, and writes behind what it has sealed. NULL: no memory. */
BIO *vow_tls_bio_new(vow_tls_stream *tls);

/* Counts key updates. */
void vow_tls_message(int is_written, int version, int type, const void *data, size_t size, SSL *ssl,
                     void *arg);

/* Sends what OpenSSL has made, or queues it. Ends the stream when there is no memory. */
void vow_tls_flush(vow_tls_stream *tls);

/* `inner` has written what it was lent: the rest follows. */
void vow_tls_inner_written(vow_tls_stream *tls);

/* Seals and sends of what the owner lent as much as goes. True: all has left. */
bool vow_tls_seal(vow_tls_stream *tls);

/* The same with slices that are not lent, until something does not leave: what is sealed then is kept, at
 * most a block of it, and nothing more is sealed before it has left. Gives the bytes that were sealed. */
size_t vow_tls_try_seal(vow_tls_stream *tls, const vow_slice *slices, size_t count);

/* Says goodbye, RFC 8446, section 6.1, where there was a hello. */
void vow_tls_say_goodbye(vow_tls_stream *tls);

/* sessions.c */

void vow_tls_sessions_init(vow_tls_context *context);
void vow_tls_sessions_done(vow_tls_context *context);

/* Resumes what `tls` has of its host, if anything. */
void vow_tls_sessions_use(vow_tls_stream *tls);

/* tickets.c */

void vow_tls_tickets_init(vow_tls_context *context);

/* Makes `data` a part of what the server is and trusts. False: no memory. */
bool vow_tls_tickets_trust(vow_tls_context *context, const void *data, size_t size);

/* The name of an hour's key, counted from 1970; False: no memory. */
bool vow_tls_ticket_name(const vow_tls_context *context, uint64_t period, uint8_t name[VOW_TLS_TICKET_NAME]);

/* Gives the hour in which a ticket of that name was sealed, `now` or the one before; 0: in neither. */
uint64_t vow_tls_ticket_period_of(const vow_tls_context *context, uint64_t now,
                                  const uint8_t name[VOW_TLS_TICKET_NAME]);

/* handshakes.c */

void vow_tls_turns_init(vow_tls_context *context);

/* Counts a handshake among those of its server; ended twice is ended once. */
void vow_tls_handshake_began(vow_tls_stream *tls);
void vow_tls_handshake_ended(vow_tls_stream *tls);

/* words.c */

/* Keeps what verification says of a certificate, for later. For SSL_set_verify. */
int vow_tls_verified(int is_fine, X509_STORE_CTX *store);

/* Why OpenSSL failed at `tls`; gives the status. */
vow_status vow_tls_why(const vow_tls_stream *tls, int result);

/* facts.c */

/* "CN=alice,O=Example" into `text`. False: it does not fit. */
bool vow_tls_name_print(const X509_NAME *name, char *text, size_t size);

/* "dns:a.example, ip:10.0.0.7" into `text`, as much as fits. */
void vow_tls_names_print(const X509 *certificate, char *text, size_t size);

/* Fills tls->facts. Fails: no memory, or a name that is too long. */
vow_code vow_tls_facts_make(vow_tls_stream *tls, vow_error *error);

#endif
