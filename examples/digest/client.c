/*
 * digest-client PATH TARGET...: the SHA-256 sums of all files below PATH, computed by servers.
 *
 * The idea: a fixed number of slots, each a chain of futures that feeds itself: open the next file in the
 * thread pool, stream it to a server, print the sum, and again. A slot has one chunk, which is read while the
 * one before is on its way and sent when there is room. So calls in flight and memory are bounded, whatever
 * the tree.
 *
 * Sums go to standard output, in the format that `sha256sum -c` reads; all else to standard error.
 */
#include "digest.vow.h"
#include "report.h"
#include "walk.h"

#include <vow/vow.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define SLOTS 32
#define CHUNK_BYTES ((size_t)64 << 10)
#define TARGETS_MAX 16

/* A server that is not there any more is noticed within this and the 20 s that it has for a pong. */
#define KEEPALIVE_MS 10000

/* The time for a file: this, and as much more as it takes at 1 MB a second. */
#define FILE_TIMEOUT_MS 30000
#define BYTES_PER_MS_LEAST 1000

struct client {
    vow_loop       *loop;
    vow_channel    *channels[TARGETS_MAX];
    bool            lost[TARGETS_MAX]; /* the server behind it went away: no more files for it */
    size_t          channel_count;
    size_t          turn;    /* whose the next file is */
    pthread_mutex_t walking; /* the walk is shared by the threads of the pool */
    struct walk    *walk;
    struct report  *report;
    vow_future     *work;
    uv_signal_t     interrupt;
    bool            interrupted;
};

/* One file at a time. */
struct slot {
    struct client *client;
    size_t         channel;
    char          *path;
    int            file;
    uint64_t       file_size;
    uint8_t       *chunk; /* the next to send */
    size_t         size;
    bool           is_last;
    int            read_error;
    vow_call      *call;
    uint64_t       begun_at_ns;
};

/* In the thread pool, where reading may block */

static void slot_close_file(struct slot *slot)
{
    if (slot->file >= 0)
        close(slot->file);
    slot->file = -1;
}

static vow_code slot_read_chunk(struct slot *slot, vow_error *error)
{
    ssize_t size;

    slot->size = 0;
    do {
        size = read(slot->file, slot->chunk + slot->size, CHUNK_BYTES - slot->size);
        if (size > 0)
            slot->size += (size_t)size;
    } while ((size > 0 && slot->size < CHUNK_BYTES) || (size < 0 && errno == EINTR));
    slot->is_last = size == 0;
    slot->read_error = size < 0 ? errno : 0;
    if (slot->is_last)
        slot_close_file(slot);
    return size < 0 ? vow_error_set(error, VOW_DATA_LOSS, "%s", strerror(slot->read_error)) : VOW_OK;
}

static vow_code read_next(void *job, vow_error *error)
{
    return slot_read_chunk(job, error);
}

/* Opens a file and reads its beginning: a small one takes no second trip to the pool. */
static vow_code open_next(void *job, vow_error *error)
{
    struct slot   *slot = job;
    struct client *client = slot->client;

    pthread_mutex_lock(&client->walking);
    slot->file = walk_next(client->walk, &slot->path, &slot->file_size);
    pthread_mutex_unlock(&client->walking);
    return slot->file >= 0 ? slot_read_chunk(slot, error) : VOW_OK;
}

/* One file */

static vow_future *slot_open_next(struct slot *slot);

static void slot_close(struct slot *slot)
{
    slot_close_file(slot);
    free(slot->path);
    slot->path = NULL;
    vow_call_drop(slot->call); /* an unfinished sum is abandoned, at the server as well */
    slot->call = NULL;
}

/* The file cannot be read, or its call has failed: on with the next. */
static vow_future *slot_fail(struct slot *slot, const vow_future *failed)
{
    if (vow_future_code(failed) == VOW_UNAVAILABLE)
        slot->client->lost[slot->channel] = true;
    report_fault(slot->client->report, slot->path,
                 slot->read_error ? strerror(slot->read_error) : vow_future_error(failed));
    slot_close(slot);
    return slot_open_next(slot);
}

static vow_future *slot_answered(vow_future *next, void *arg)
{
    struct slot            *slot = arg;
    struct report          *report = slot->client->report;
    const Digest__SumReply *reply = digest_digest_sum_result(next);

    if (!reply)
        return slot_fail(slot, next);
    report_latency(report, vow_loop_now_ns(slot->client->loop) - slot->begun_at_ns);
    report_sum(report, slot->path, reply->sha256.data, reply->sha256.len);
    slot_close(slot);
    return slot_open_next(slot);
}

static vow_future *slot_sent(vow_future *written, void *arg)
{
    struct slot *slot = arg;

    if (vow_future_code(written) != VOW_OK)
        return slot_fail(slot, written);
    return vow_either(vow_call_next(slot->call), slot_answered, slot);
}

/* There is room: sends the chunk in hand. The next is read meanwhile. */
static vow_future *slot_send_chunk(vow_call *call, void *arg)
{
    struct slot  *slot = arg;
    Digest__Chunk chunk = DIGEST__CHUNK__INIT;

    chunk.data = (ProtobufCBinaryData){ .data = slot->chunk, .len = slot->size };
    digest_digest_sum_send_request(call, &chunk); /* packs it: slot->chunk is free again */
    report_bytes(slot->client->report, slot->size);
    if (!slot->is_last)
        return vow_work(slot->client->loop, read_next, slot, NULL);
    vow_call_end(call);
    return NULL;
}

/* The next server's turn. NULL: none is left. */
static vow_channel *slot_choose_channel(struct slot *slot)
{
    struct client *client = slot->client;

    for (size_t i = 0; i < client->channel_count; i++) {
        slot->channel = client->turn++ % client->channel_count;
        if (!client->lost[slot->channel])
            return client->channels[slot->channel];
    }
    return NULL;
}

static vow_future *slot_opened(vow_future *opened, void *arg)
{
    struct slot *slot = arg;
    vow_channel *channel;
    int64_t      timeout_ms = FILE_TIMEOUT_MS;

    if (slot->read_error)
        return slot_fail(slot, opened);
    if (vow_future_code(opened) != VOW_OK)
        return vow_future_ref(opened);
    if (!slot->path)
        return NULL; /* there are no more files: this slot is done */
    channel = slot_choose_channel(slot);
    if (!channel) {
        slot_close(slot);
        return vow_failure(slot->client->loop, VOW_UNAVAILABLE, "no server is left");
    }
    timeout_ms += (int64_t)(slot->file_size / BYTES_PER_MS_LEAST);
    slot->begun_at_ns = vow_loop_now_ns(slot->client->loop);
    slot->call = digest_digest_sum(channel, VOW_CALL(.timeout_ms = timeout_ms));
    return vow_either(vow_call_write(slot->call, slot_send_chunk, slot), slot_sent, slot);
}

static vow_future *slot_open_next(struct slot *slot)
{
    slot->read_error = 0;
    return vow_either(vow_work(slot->client->loop, open_next, slot, NULL), slot_opened, slot);
}

/* All of them */

static void slot_release(void *object)
{
    struct slot *slot = object;

    slot_close(slot);
    free(slot->chunk);
    free(slot);
}

/* The slot is attached to its chain: released when that has ended, the pool's thread included. */
static vow_future *slot_start(size_t index, void *arg)
{
    struct client *client = arg;
    struct slot   *slot = calloc(1, sizeof *slot);

    (void)index;
    if (slot)
        slot->chunk = malloc(CHUNK_BYTES);
    if (!slot || !slot->chunk) {
        free(slot);
        return vow_failure(client->loop, VOW_RESOURCE_EXHAUSTED, "no memory");
    }
    slot->client = client;
    slot->file = -1;
    return vow_attach(slot_open_next(slot), slot, slot_release);
}

static void client_stop(struct client *client)
{
    for (size_t i = 0; i < client->channel_count; i++)
        vow_channel_close(client->channels[i]);
    client->channel_count = 0;
    report_stop(client->report);
    vow_drop(client->work);
    uv_close((uv_handle_t *)&client->interrupt, NULL);
    vow_loop_close(client->loop);
}

static void client_done(vow_future *all, void *arg)
{
    struct client *client = arg;

    if (client->interrupted)
        report_note(client->report, "interrupted");
    else if (vow_future_code(all) != VOW_OK)
        report_fault(client->report, "stopped", vow_future_error(all));
    client_stop(client);
}

static void client_interrupt(uv_signal_t *handle, int number)
{
    struct client *client = handle->data;

    (void)number;
    client->interrupted = true;
    vow_cancel(client->work);
}

static void client_run(struct client *client)
{
    uv_loop_t *uv = uv_default_loop();

    uv_signal_init(uv, &client->interrupt);
    client->interrupt.data = client;
    uv_signal_start(&client->interrupt, client_interrupt, SIGINT);
    client->work = vow_each(client->loop, SLOTS, SLOTS, slot_start, client);
    vow_done(vow_future_ref(client->work), client_done, client);
    uv_run(uv, UV_RUN_DEFAULT);
}

static void walk_note(const char *path, const char *what, bool is_fault, void *arg)
{
    if (is_fault)
        report_fault(arg, path, what);
    else
        report_skipped(arg, path, what);
}

static bool client_open(struct client *client, const char *path, char *targets[], int count)
{
    client->report = report_open(uv_default_loop(), path);
    client->walk = walk_open(path, walk_note, client->report);
    if (!client->report || !client->walk) {
        fprintf(stderr, "digest-client: %s: %s\n", path, strerror(errno));
        return false;
    }
    for (int i = 0; i < count; i++)
        client->channels[client->channel_count++] =
            vow_channel_open(client->loop, targets[i], VOW_CHANNEL(.keepalive_ms = KEEPALIVE_MS));
    return true;
}

int main(int argc, char **argv)
{
    static struct client client = { .walking = PTHREAD_MUTEX_INITIALIZER };
    int                  status;

    if (argc < 3 || argc - 2 > TARGETS_MAX) {
        fprintf(stderr,
                "usage: digest-client PATH TARGET...\n"
                "       with up to %d targets such as tcp://127.0.0.1:7000 or unix:///tmp/digest\n",
                TARGETS_MAX);
        return 2;
    }
    client.loop = vow_loop_attach(uv_default_loop());
    if (!client.loop || !client_open(&client, argv[1], argv + 2, argc - 2))
        return 2;
    client_run(&client);
    walk_close(client.walk);
    status = report_close(client.report);
    return client.interrupted ? 130 : status;
}
