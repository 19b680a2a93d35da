#include "runtime/base/memory.h"
#include "runtime/transport/tls/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* For the last bytes of a stream whose owner has gone. Longer than a socket lingers: what was sealed has left
 * as far as the owner knows, and up to a block of it may not be in the kernel yet. */
#define LINGER_MS 10000

/* Life */

static void tls_free(vow_tls_stream *tls)
{
    vow_loop *loop = tls->stream.loop;

    SSL_free(tls->ssl);
    vow_tls_context_drop(tls->context);
    vow_status_done(&tls->why);
    vow_free(tls->facts);
    vow_free(tls->fault);
    vow_free(tls->target);
    vow_free(tls->kept);
    vow_free(tls->sending);
    vow_free(tls->waiting);
    vow_free(tls);
    vow_loop_object_gone(loop);
}

static void tls_release(vow_tls_stream *tls)
{
    if (--tls->holds == 0 && tls->state == VOW_TLS_CLOSED)
        tls_free(tls);
}

/* The stream is nobody's any more. */
static void tls_leave(vow_tls_stream *tls)
{
    vow_tls_state was = tls->state;
    vow_stream   *inner = tls->inner;

    assert(was != VOW_TLS_CLOSED);
    vow_tls_handshake_ended(tls);
    tls->holds++;
    tls->state = VOW_TLS_CLOSED;
    tls->stream.events = NULL;
    tls->inner = NULL;
    vow_task_cancel(&tls->step);
    vow_timers_disarm(&vow_tls_scheduler(tls)->timers, &tls->linger);
    if (inner)
        vow_stream_close(inner);
    if (was == VOW_TLS_FINISHING)
        vow_scheduler_release(vow_tls_scheduler(tls));
    tls_release(tls);
}

/* What was written last, an alert or a goodbye, shall arrive. */
static void tls_leave_in_order(vow_tls_stream *tls)
{
    if (tls->inner && !tls->sending) {
        vow_stream_finish(tls->inner);
        tls->inner = NULL;
    }
    tls_leave(tls);
}

static void tls_report_end(vow_tls_stream *tls)
{
    const vow_stream_events *events = tls->stream.events;
    void                    *owner = tls->stream.owner;
    vow_status               why = tls->why;

    tls->why = VOW_STATUS_OK;
    vow_stream_drop_unread(&tls->stream);
    tls_leave_in_order(tls);
    events->closed(owner, &why);
    vow_status_done(&why);
}

/* The peer has ended it in order, or it has failed. Takes `why`. */
static void tls_end(vow_tls_stream *tls, vow_status why)
{
    if (tls->state != VOW_TLS_SHAKING && tls->state != VOW_TLS_OPEN) {
        vow_status_done(&why);
        return;
    }
    tls->why = why;
    tls->state = VOW_TLS_ENDED;
    vow_scheduler_soon(vow_tls_scheduler(tls), &tls->step);
}

void vow_tls_fail(vow_tls_stream *tls, vow_status why)
{
    tls_end(tls, why);
}

/* The handshake */

static const char *tls_chosen_alpn(const vow_tls_stream *tls)
{
    const unsigned char *chosen = NULL;
    unsigned             size = 0;

    SSL_get0_alpn_selected(tls->ssl, &chosen, &size);
    for (const char *const *name = tls->context->alpn; *name; name++) {
        if (strlen(*name) == size && memcmp(*name, chosen, size) == 0)
            return *name;
    }
    return NULL;
}

/* What was written meanwhile can leave. */
static void tls_go_on_writing(vow_tls_stream *tls)
{
    if (tls->state != VOW_TLS_OPEN || !tls->is_writing || !vow_tls_seal(tls))
        return;
    tls->is_writing = false;
    tls->stream.events->written(tls->stream.owner);
}

static void tls_shaken(vow_tls_stream *tls)
{
    vow_error error;

    vow_tls_handshake_ended(tls);
    tls->alpn = tls_chosen_alpn(tls);
    if (!tls->context->is_server && !tls->alpn) {
        vow_tls_fail(
            tls,
            vow_status_make(VOW_UNAVAILABLE,
                            "%s: the server has TLS, and does not say that it speaks \"%s\" behind it (ALPN)",
                            tls->target, tls->context->alpn[0]));
        return;
    }
    if (vow_tls_facts_make(tls, &error) != VOW_OK) {
        vow_tls_fail(tls, vow_status_of_error(&error));
        return;
    }
    tls->state = VOW_TLS_OPEN;
    if (tls->is_paused)
        vow_stream_pause(tls->inner);
    if (tls->context->is_server)
        tls->stream.events->opened(tls->stream.owner);
    tls_go_on_writing(tls);
}

static void tls_shake(vow_tls_stream *tls)
{
    int result;
    int error;

    do { /* as long as there is more to send than the block holds */
        ERR_clear_error();
        result = SSL_do_handshake(tls->ssl);
        error = SSL_get_error(tls->ssl, result);
        vow_tls_flush(tls);
    } while (tls->state == VOW_TLS_SHAKING && error == SSL_ERROR_WANT_WRITE);
    if (tls->state != VOW_TLS_SHAKING || error == SSL_ERROR_WANT_READ)
        return;
    if (result == 1)
        tls_shaken(tls);
    else
        vow_tls_fail(tls, vow_tls_why(tls, result));
}

/* Reading */

/* Opens records into `room` until it is full or there are no more. `error` says what came behind them. */
static size_t tls_fill(vow_tls_stream *tls, vow_room room, int *result)
{
    size_t filled = 0;
    size_t size;

    *result = 1;
    ERR_clear_error();
    while (filled < room.size &&
           (*result = SSL_read_ex(tls->ssl, room.data + filled, room.size - filled, &size)) == 1)
        filled += size;
    return filled;
}

/* No record came, or not all of one. */
static void tls_nothing_read(vow_tls_stream *tls, int result, int error)
{
    if (error == SSL_ERROR_ZERO_RETURN) {
        vow_tls_say_goodbye(tls);
        vow_tls_flush(tls);
        tls_end(tls, VOW_STATUS_OK);
    } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        vow_tls_fail(tls, vow_tls_why(tls, result));
    }
}

static bool tls_may_read(const vow_tls_stream *tls)
{
    return tls->state == VOW_TLS_OPEN && !tls->is_paused && (tls->in_size > 0 || SSL_pending(tls->ssl) > 0);
}

static bool tls_updates_too_often(vow_tls_stream *tls, size_t size)
{
    if (size > 0)
        tls->key_updates = 0;
    if (tls->key_updates <= VOW_TLS_KEY_UPDATES_MAX)
        return false;
    vow_tls_fail(tls,
                 vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                 "%s: the peer has changed its keys over %d times without saying anything",
                                 tls->target, VOW_TLS_KEY_UPDATES_MAX));
    return true;
}

static void tls_read_records(vow_tls_stream *tls)
{
    while (tls_may_read(tls)) {
        vow_room room = tls->stream.events->room(tls->stream.owner);
        size_t   size;
        int      result;
        int      error;

        if (room.size == 0) {
            vow_tls_fail(tls,
                         vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: no memory to read into", tls->target));
            return;
        }
        size = tls_fill(tls, room, &result);
        if (tls_updates_too_often(tls, size))
            return;
        error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, result);
        if (size > 0) { /* what is behind it comes when all of it has been read */
            if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ)
                tls_nothing_read(tls, result, error);
            else
                vow_tls_flush(tls);
            if (tls->stream.events)
                tls->stream.events->read(tls->stream.owner, size);
        } else {
            tls_nothing_read(tls, result, error);
            vow_tls_flush(tls);
        }
    }
}

/* What a paused owner has not read yet outlives the loop's block. */
static void tls_keep_rest(vow_tls_stream *tls)
{
    uint8_t *kept;

    if (tls->in_size == 0 || tls->state != VOW_TLS_OPEN) {
        vow_free(tls->kept);
        tls->kept = NULL;
        tls->in_size = 0;
        return;
    }
    if (tls->kept)
        return;
    vow_stream_pause(tls->inner);
    kept = vow_alloc(tls->in_size);
    if (!kept) {
        tls->in_size = 0;
        vow_tls_fail(tls, vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: no memory to read into", tls->target));
        return;
    }
    tls->in = memcpy(kept, tls->in, tls->in_size);
    tls->kept = kept;
}

/* Goes on with what came. */
static void tls_take(vow_tls_stream *tls)
{
    tls->holds++;
    if (tls->state == VOW_TLS_SHAKING)
        tls_shake(tls);
    tls_read_records(tls);
    tls_keep_rest(tls);
    tls_release(tls);
}

static void tls_step(vow_task *task)
{
    vow_tls_stream *tls = VOW_OWNER(task, vow_tls_stream, step);

    tls->holds++;
    if (tls->state == VOW_TLS_ENDED)
        tls_report_end(tls);
    else
        tls_take(tls);
    if (tls->state == VOW_TLS_OPEN && !tls->is_paused && tls->inner)
        vow_stream_resume(tls->inner);
    tls_release(tls);
}

/* Events of the stream below */

static void inner_opened(void *owner)
{
    (void)owner; /* it is open */
}

static vow_room inner_room(void *owner)
{
    const vow_tls_stream *tls = owner;

    return (vow_room){ vow_loop_cipher_block(tls->stream.loop), VOW_TLS_READ_BLOCK };
}

static void inner_read(void *owner, size_t size)
{
    vow_tls_stream *tls = owner;

    assert(tls->in_size == 0);
    tls->in = vow_loop_cipher_block(tls->stream.loop);
    tls->in_size = size;
    for (size_t i = 0; i < size && tls->first_size < sizeof tls->first; i++)
        tls->first[tls->first_size++] = tls->in[i];
    tls_take(tls);
}

static void inner_written(void *owner)
{
    vow_tls_stream *tls = owner;

    vow_tls_inner_written(tls);
    if (tls->sending)
        return;
    tls->holds++;
    if (tls->state == VOW_TLS_FINISHING)
        tls_leave_in_order(tls);
    else
        tls_go_on_writing(tls);
    tls_release(tls);
}

/* RFC 8446, section 6.1: what ends without a goodbye may have been cut by somebody in between. */
static vow_status tls_cut(const vow_tls_stream *tls, const vow_status *why)
{
    if (why->code != VOW_OK)
        return vow_status_share(why);
    if (tls->state == VOW_TLS_SHAKING)
        return vow_status_make(VOW_UNAVAILABLE,
                               "%s: the peer closed the connection during the TLS handshake%s", tls->target,
                               tls->context->is_server ? "" : " (does it speak TLS?)");
    return vow_status_make(VOW_UNAVAILABLE,
                           "%s: the connection was cut: it ended without the goodbye of TLS (close_notify)",
                           tls->target);
}

static void inner_closed(void *owner, const vow_status *why)
{
    vow_tls_stream *tls = owner;

    tls->inner = NULL;
    if (tls->state == VOW_TLS_FINISHING)
        tls_leave(tls);
    else
        tls_end(tls, tls_cut(tls, why));
}

static const vow_stream_events inner_events = {
    .opened = inner_opened,
    .room = inner_room,
    .read = inner_read,
    .written = inner_written,
    .closed = inner_closed,
};

/* What the owner asks for */

static void tls_adopt(vow_stream *stream)
{
    vow_tls_stream *tls = vow_tls_of(stream);

    if (!tls->is_adopted)
        vow_stream_adopt(tls->inner, &inner_events, tls);
    tls->is_adopted = true;
    vow_scheduler_soon(vow_tls_scheduler(tls), &tls->step);
}

static bool tls_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    vow_tls_stream *tls = vow_tls_of(stream);

    assert(!tls->is_writing && count > 0 && count <= VOW_WRITE_SLICES);
    memcpy(tls->slices, slices, count * sizeof slices[0]);
    tls->count = count;
    tls->is_writing = !vow_tls_seal(tls);
    return !tls->is_writing;
}

static size_t tls_try_write(vow_stream *stream, const vow_slice *slices, size_t count)
{
    assert(count > 0 && count <= VOW_WRITE_SLICES);
    return vow_tls_try_seal(vow_tls_of(stream), slices, count);
}

static void tls_pause(vow_stream *stream)
{
    vow_tls_stream *tls = vow_tls_of(stream);

    tls->is_paused = true;
    if (tls->state == VOW_TLS_OPEN && tls->inner)
        vow_stream_pause(tls->inner);
}

static void tls_resume(vow_stream *stream)
{
    vow_tls_stream *tls = vow_tls_of(stream);

    tls->is_paused = false;
    vow_scheduler_soon(vow_tls_scheduler(tls), &tls->step);
}

static void tls_close(vow_stream *stream)
{
    vow_tls_stream *tls = vow_tls_of(stream);

    tls->holds++;
    if (!tls->sending)
        vow_tls_say_goodbye(tls);
    vow_tls_flush(tls);
    tls_leave(tls);
    tls_release(tls);
}

static void tls_lingered(vow_timer *timer)
{
    tls_leave(VOW_OWNER(timer, vow_tls_stream, linger));
}

/* The goodbye leaves first, however long that takes within a time; then the stream below ends in order. */
static void tls_finish(vow_stream *stream)
{
    vow_tls_stream *tls = vow_tls_of(stream);
    vow_scheduler  *scheduler = vow_tls_scheduler(tls);

    tls->holds++;
    vow_tls_say_goodbye(tls);
    vow_tls_flush(tls);
    if (tls->state != VOW_TLS_OPEN || !tls->sending) {
        tls_leave_in_order(tls);
    } else {
        tls->state = VOW_TLS_FINISHING;
        tls->stream.events = NULL;
        vow_scheduler_hold(scheduler);
        vow_timers_arm(&scheduler->timers, &tls->linger, vow_scheduler_after_ms(scheduler, LINGER_MS));
        vow_stream_resume(tls->inner);
    }
    tls_release(tls);
}

static const char *tls_peer(const vow_stream *stream)
{
    const vow_tls_stream *tls = vow_tls_of(stream);

    return tls->inner ? vow_stream_peer(tls->inner) : tls->target;
}

static const char *tls_peer_host(const vow_stream *stream)
{
    const vow_tls_stream *tls = vow_tls_of(stream);

    return tls->inner ? vow_stream_peer_host(tls->inner) : "";
}

static void tls_local(const vow_stream *stream, char *text, size_t size)
{
    const vow_tls_stream *tls = vow_tls_of(stream);

    text[0] = '\0';
    if (tls->inner)
        vow_stream_local(tls->inner, text, size);
}

static bool tls_is_local(const vow_stream *stream)
{
    const vow_tls_stream *tls = vow_tls_of(stream);

    return tls->inner && vow_stream_is_local(tls->inner);
}

const vow_transport vow_transport_tls = {
    .scheme = "tls",
    .adopt = tls_adopt,
    .write = tls_write,
    .try_write = tls_try_write,
    .pause = tls_pause,
    .resume = tls_resume,
    .close = tls_close,
    .finish = tls_finish,
    .peer = tls_peer,
    .peer_host = tls_peer_host,
    .local = tls_local,
    .is_local = tls_is_local,
};

/* Making one */

static bool host_is_address(const char *host)
{
    uint8_t address[16];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* RFC 6066, section 3: an address is not told. RFC 6125, section 6.4.3: a wildcard stands for a whole label.
 */
static bool tls_expect_host(vow_tls_stream *tls)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);

    if (host_is_address(tls->host))
        return X509_VERIFY_PARAM_set1_ip_asc(param, tls->host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, tls->host, 0) == 1 &&
           SSL_set_tlsext_host_name(tls->ssl, tls->host) == 1;
}

/* False: no memory. */
static bool tls_init(vow_tls_stream *tls, const char *target)
{
    BIO *bio = NULL;

    tls->target = vow_text_copy(target);
    tls->ssl = SSL_new(tls->context->ssl);
    if (tls->target && tls->ssl && vow_loop_cipher_block(tls->stream.loop))
        bio = vow_tls_bio_new(tls);
    if (!bio)
        return false;
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    return true;
}

static vow_tls_stream *tls_new(vow_tls_context *context, vow_stream *inner, const char *target)
{
    vow_tls_stream *tls = vow_alloc_zeroed(sizeof *tls);

    if (!tls) {
        vow_stream_close(inner);
        return NULL;
    }
    tls->stream = (vow_stream){ .transport = &vow_transport_tls, .loop = inner->loop };
    tls->inner = inner;
    tls->context = context;
    context->references++;
    vow_task_init(&tls->step, tls_step);
    vow_timer_init(&tls->linger, tls_lingered);
    vow_loop_object_born(inner->loop);
    if (tls_init(tls, target))
        return tls;
    tls_leave(tls);
    return NULL;
}

vow_stream *vow_tls_connected(vow_tls_context *context, vow_stream *stream, const char *host,
                              const char *target)
{
    vow_tls_stream *tls = tls_new(context, stream, target);

    if (!tls)
        return NULL;
    if (context->options.server_name)
        host = context->options.server_name;
    snprintf(tls->host, sizeof tls->host, "%s", host);
    SSL_set_connect_state(tls->ssl);
    if (!tls_expect_host(tls)) {
        tls_leave(tls);
        return NULL;
    }
    vow_tls_sessions_use(tls);
    return &tls->stream;
}

vow_stream *vow_tls_accepted(vow_tls_context *context, vow_stream *stream)
{
    vow_tls_stream *tls = tls_new(context, stream, vow_stream_peer(stream));

    if (!tls)
        return NULL;
    SSL_set_accept_state(tls->ssl);
    vow_tls_handshake_began(tls);
    return &tls->stream;
}
