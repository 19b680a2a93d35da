#include "runtime/base/memory.h"
#include "runtime/transport/tls/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

/*
 * The loop's block, which all its connections use in turn; nothing stays in it from one event to the next:
 *
 *     what came | a record put together of slices | sealed records
 */
static uint8_t *tls_record_block(const vow_tls_stream *tls)
{
    return vow_loop_cipher_block(tls->stream.loop) + VOW_TLS_READ_BLOCK;
}

static uint8_t *tls_sealed_block(const vow_tls_stream *tls)
{
    return tls_record_block(tls) + VOW_TLS_RECORD;
}

/* What OpenSSL reads from and writes to */

static int bio_read(BIO *bio, char *data, int size)
{
    vow_tls_stream *tls = BIO_get_data(bio);
    size_t          taken = tls->in_size < (size_t)size ? tls->in_size : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (taken == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(data, tls->in, taken);
    tls->in += taken;
    tls->in_size -= taken;
    return (int)taken;
}

static int bio_write(BIO *bio, const char *data, int size)
{
    vow_tls_stream *tls = BIO_get_data(bio);
    size_t          room = VOW_TLS_SEALED_BLOCK - tls->sealed;
    size_t          put = room < (size_t)size ? room : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (put == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(tls_sealed_block(tls) + tls->sealed, data, put);
    tls->sealed += put;
    return (int)put;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* all else there is nothing to say to */
}

static pthread_once_t bio_once = PTHREAD_ONCE_INIT;
static BIO_METHOD    *bio_method; /* NULL: no memory */

static void bio_method_make(void)
{
    bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vow stream");
    if (!bio_method)
        return;
    BIO_meth_set_read(bio_method, bio_read);
    BIO_meth_set_write(bio_method, bio_write);
    BIO_meth_set_ctrl(bio_method, bio_control);
}

BIO *vow_tls_bio_new(vow_tls_stream *tls)
{
    BIO *bio;

    pthread_once(&bio_once, bio_method_make);
    bio = bio_method ? BIO_new(bio_method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    return bio;
}

/* For SSL_CTX_set_msg_callback, which sees every message of a handshake, and its first byte. */
void vow_tls_message(int is_written, int version, int type, const void *data, size_t size, SSL *ssl,
                     void *arg)
{
    vow_tls_stream *tls = SSL_get_app_data(ssl);

    (void)version;
    (void)arg;
    if (!is_written && type == SSL3_RT_HANDSHAKE && size > 0 && *(const uint8_t *)data == SSL3_MT_KEY_UPDATE)
        tls->key_updates++;
}

/* Sending */

static void tls_send_waiting(vow_tls_stream *tls)
{
    vow_slice slice = { tls->waiting, tls->waiting_size };

    if (tls->sending || !tls->waiting)
        return;
    tls->sending = tls->waiting;
    tls->waiting = NULL;
    tls->waiting_size = 0;
    if (!vow_stream_write(tls->inner, &slice, 1))
        return;
    vow_free(tls->sending);
    tls->sending = NULL;
}

/* What the owner writes is not sealed while anything waits; so all that grows is what TLS answers by itself.
 */
static void tls_queue(vow_tls_stream *tls, const uint8_t *data, size_t size)
{
    uint8_t *grown;

    if (tls->waiting_size + size > VOW_TLS_WAITING_MAX) {
        vow_tls_fail(
            tls, vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                 "%s: the peer reads nothing: over %zu bytes of TLS's own wait to be sent",
                                 tls->target, VOW_TLS_WAITING_MAX));
        return;
    }
    grown = vow_resize(tls->waiting, tls->waiting_size + size);
    if (!grown) {
        vow_tls_fail(tls,
                     vow_status_make(VOW_RESOURCE_EXHAUSTED, "%s: no memory to write from", tls->target));
        return;
    }
    memcpy(grown + tls->waiting_size, data, size);
    tls->waiting = grown;
    tls->waiting_size += size;
}

void vow_tls_flush(vow_tls_stream *tls)
{
    vow_slice sealed = { tls_sealed_block(tls), tls->sealed };
    size_t    left = 0;

    tls->sealed = 0;
    if (!tls->inner || sealed.size == 0)
        return;
    if (!tls->sending && !tls->waiting)
        left = vow_stream_try_write(tls->inner, &sealed, 1);
    if (left < sealed.size)
        tls_queue(tls, sealed.data + left, sealed.size - left);
    tls_send_waiting(tls);
}

void vow_tls_inner_written(vow_tls_stream *tls)
{
    vow_free(tls->sending);
    tls->sending = NULL;
    tls_send_waiting(tls);
}

void vow_tls_say_goodbye(vow_tls_stream *tls)
{
    if (tls->state != VOW_TLS_OPEN || !tls->inner)
        return;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

/* Sealing */

static void tls_drop_slices(vow_tls_stream *tls, size_t size)
{
    size_t kept = 0;

    for (size_t i = 0; i < tls->count; i++) {
        vow_slice slice = tls->slices[i];
        size_t    skip = size < slice.size ? size : slice.size;

        size -= skip;
        if (skip < slice.size)
            tls->slices[kept++] = (vow_slice){ slice.data + skip, slice.size - skip };
    }
    tls->count = kept;
}

/* The plaintext of the next record: as much as one holds. Small slices are put together, a large one is not
 * copied. */
static vow_slice tls_next_plaintext(const vow_tls_stream *tls)
{
    uint8_t *record = tls_record_block(tls);
    size_t   size = 0;

    if (tls->count == 1 || tls->slices[0].size >= VOW_TLS_RECORD) {
        size = tls->slices[0].size < VOW_TLS_RECORD ? tls->slices[0].size : VOW_TLS_RECORD;
        return (vow_slice){ tls->slices[0].data, size };
    }
    for (size_t i = 0; i < tls->count && size < VOW_TLS_RECORD; i++) {
        size_t room = VOW_TLS_RECORD - size;
        size_t part = tls->slices[i].size < room ? tls->slices[i].size : room;

        memcpy(record + size, tls->slices[i].data, part);
        size += part;
    }
    return (vow_slice){ record, size };
}

/* There is room for a whole record, so OpenSSL writes it at once. */
static void tls_seal_record(vow_tls_stream *tls)
{
    vow_slice plaintext = tls_next_plaintext(tls);
    size_t    written = 0;
    int       result;

    ERR_clear_error();
    result = SSL_write_ex(tls->ssl, plaintext.data, plaintext.size, &written);
    if (result == 1)
        tls_drop_slices(tls, written);
    else
        vow_tls_fail(tls, vow_tls_why(tls, result));
}

bool vow_tls_seal(vow_tls_stream *tls)
{
    while (tls->count > 0 && tls->state == VOW_TLS_OPEN && !tls->sending) {
        while (tls->count > 0 && tls->state == VOW_TLS_OPEN &&
               tls->sealed + VOW_TLS_RECORD + 512 <= VOW_TLS_SEALED_BLOCK)
            tls_seal_record(tls);
        vow_tls_flush(tls);
    }
    return tls->count == 0 && tls->state == VOW_TLS_OPEN && !tls->sending;
}

size_t vow_tls_try_seal(vow_tls_stream *tls, const vow_slice *slices, size_t count)
{
    size_t given = 0;
    size_t kept = 0;

    if (tls->state != VOW_TLS_OPEN || tls->is_writing || tls->sending)
        return 0;
    memcpy(tls->slices, slices, count * sizeof slices[0]);
    tls->count = count;
    vow_tls_seal(tls);
    for (size_t i = 0; i < count; i++)
        given += slices[i].size;
    for (size_t i = 0; i < tls->count; i++)
        kept += tls->slices[i].size;
    tls->count = 0;
    return given - kept;
}
