/*
 * digest-client PATH TARGET...: the SHA-256 sums of all files below PATH, computed by servers.
 *
 * The idea: a fixed number of slots, each a chain of futures that feeds itself: read the next file's
 * beginning in the thread pool, send it, read and feed the rest, print the sum, and again. So calls in
 * flight and memory are bounded, whatever the tree.
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
#include <sys/random.h>
#include <unistd.h>
#include <uv.h>

#define SLOTS 32
#define CHUNK_BYTES ((size_t)64 << 10)
#define TARGETS_MAX 16
#define CHUNK_TIMEOUT_MS 30000

struct client {
    vow_loop       *loop;
    vow_channel    *channels[TARGETS_MAX];
    bool            lost[TARGETS_MAX]; /* the server behind it went away: no more files for it */
    size_t          channel_count;
    size_t          turn; /* whose the next file is */
    uint64_t        next_id;
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
    int            read_error;
    uint64_t       id;
    uint64_t       offset; /* of the chunk in hand */
    uint8_t       *chunk;
    size_t         size;
    bool           more;
    uint64_t       sent_at_ns;
    vow_future    *sum;
};

/* --- In the thread pool ------------------------------------------------------------------- */

static void slot_read_chunk(struct slot *slot)
{
    ssize_t size;

    slot->size = 0;
    slot->read_error = 0;
    do {
        size = read(slot->file, slot->chunk + slot->size, CHUNK_BYTES - slot->size);
        if (size > 0)
            slot->size += (size_t)size;
    } while ((size > 0 && slot->size < CHUNK_BYTES) || (size < 0 && errno == EINTR));
    if (size < 0)
        slot->read_error = errno;
    slot->more = size > 0;
}

static vow_code read_next(void *job, vow_error *error)
{
    struct slot *slot = job;

    (void)error;
    slot_read_chunk(slot);
    return VOW_OK;
}

static vow_code open_next(void *job, vow_error *error)
{
    struct slot   *slot = job;
    struct client *client = slot->client;
    uint64_t       size;

    (void)error;
    pthread_mutex_lock(&client->walking);
    slot->file = walk_next(client->walk, &slot->path, &size);
    pthread_mutex_unlock(&client->walking);
    slot->offset = 0;
    if (slot->file >= 0)
        slot_read_chunk(slot);
    return VOW_OK;
}

/* --- One file -------------------------------------------------------------------------------- */

static vow_future *slot_open_next(struct slot *slot);

static void slot_close(struct slot *slot)
{
    if (slot->file >= 0)
        close(slot->file);
    slot->file = -1;
    free(slot->path);
    slot->path = NULL;
    vow_drop(slot->sum); /* an unfinished sum is abandoned, at the server as well */
    slot->sum = NULL;
}

static vow_future *slot_fail(struct slot *slot, const char *why)
{
    report_fault(slot->client->report, slot->path, why);
    slot_close(slot);
    return slot_open_next(slot);
}

static vow_future *slot_fail_call(struct slot *slot, const vow_future *failed)
{
    if (vow_future_code(failed) == VOW_UNAVAILABLE)
        slot->client->lost[slot->channel] = true;
    return slot_fail(slot, vow_future_error(failed));
}

static void slot_answered(struct slot *slot)
{
    report_latency(slot->client->report, vow_loop_now_ns(slot->client->loop) - slot->sent_at_ns);
    report_bytes(slot->client->report, slot->size);
}

static vow_future *slot_summed(vow_future *reply, void *arg)
{
    struct slot            *slot = arg;
    const Digest__SumReply *sum = digest_digest_sum_result(reply);

    if (!sum)
        return slot_fail_call(slot, reply);
    if (slot->offset == 0)
        slot_answered(slot); /* it was the only call */
    report_sum(slot->client->report, slot->path, sum->sha256.data, sum->sha256.len);
    slot_close(slot);
    return slot_open_next(slot);
}

static vow_future *slot_wait_for_sum(struct slot *slot)
{
    vow_future *sum = slot->sum;

    slot->sum = NULL;
    return vow_either(sum, slot_summed, slot);
}

static vow_future *slot_feed(vow_future *read, void *arg);

static vow_future *slot_fed(vow_future *reply, void *arg)
{
    struct slot *slot = arg;

    if (vow_future_code(reply) != VOW_OK)
        return slot_fail_call(slot, reply);
    slot_answered(slot);
    if (!slot->more)
        return slot_wait_for_sum(slot);
    slot->offset += slot->size;
    return vow_either(vow_work(slot->client->loop, read_next, slot, NULL), slot_feed, slot);
}

static vow_future *slot_send_chunk(struct slot *slot)
{
    Digest__Chunk chunk = DIGEST__CHUNK__INIT;

    chunk.file = slot->id;
    chunk.offset = slot->offset;
    chunk.data = (ProtobufCBinaryData){ .data = slot->chunk, .len = slot->size };
    chunk.more = slot->more;
    slot->sent_at_ns = vow_loop_now_ns(slot->client->loop);
    return vow_either(digest_digest_feed(slot->client->channels[slot->channel], &chunk,
                                         VOW_CALL(.timeout_ms = CHUNK_TIMEOUT_MS)),
                      slot_fed, slot);
}

static vow_future *slot_feed(vow_future *read, void *arg)
{
    struct slot *slot = arg;

    if (vow_future_code(read) != VOW_OK)
        return slot_fail(slot, vow_future_error(read));
    if (slot->read_error)
        return slot_fail(slot, strerror(slot->read_error));
    return slot_send_chunk(slot);
}

/* The next server's turn. False: none is left. */
static bool slot_choose_channel(struct slot *slot)
{
    struct client *client = slot->client;

    for (size_t i = 0; i < client->channel_count; i++) {
        slot->channel = client->turn++ % client->channel_count;
        if (!client->lost[slot->channel])
            return true;
    }
    return false;
}

static vow_future *slot_begin(vow_future *opened, void *arg)
{
    struct slot       *slot = arg;
    struct client     *client = slot->client;
    Digest__SumRequest request = DIGEST__SUM_REQUEST__INIT;

    if (vow_future_code(opened) != VOW_OK)
        return vow_future_ref(opened);
    if (slot->file < 0)
        return NULL; /* there are no more files: this slot is done */
    if (slot->read_error)
        return slot_fail(slot, strerror(slot->read_error));
    if (!slot_choose_channel(slot)) {
        slot_close(slot);
        return vow_failure(client->loop, VOW_UNAVAILABLE, "no server is left");
    }
    slot->id = client->next_id++;
    request.file = slot->id;
    request.more = slot->more;
    if (!slot->more) /* else it goes ahead alone: a small call would overtake a large one */
        request.data = (ProtobufCBinaryData){ .data = slot->chunk, .len = slot->size };
    slot->sent_at_ns = vow_loop_now_ns(client->loop);
    slot->sum = digest_digest_sum(client->channels[slot->channel], &request,
                                  VOW_CALL(.timeout_ms = slot->more ? VOW_NO_TIMEOUT : CHUNK_TIMEOUT_MS));
    return slot->more ? slot_send_chunk(slot) : slot_wait_for_sum(slot);
}

static vow_future *slot_open_next(struct slot *slot)
{
    return vow_either(vow_work(slot->client->loop, open_next, slot, NULL), slot_begin, slot);
}

/* --- All of them -------------------------------------------------------------------------------- */

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
    if (getrandom(&client->next_id, sizeof client->next_id, 0) != (ssize_t)sizeof client->next_id)
        return false;
    client->report = report_open(uv_default_loop(), path);
    client->walk = walk_open(path, walk_note, client->report);
    if (!client->report || !client->walk) {
        fprintf(stderr, "digest-client: %s: %s\n", path, strerror(errno));
        return false;
    }
    for (int i = 0; i < count; i++)
        client->channels[client->channel_count++] = vow_channel_open(client->loop, targets[i], NULL);
    return true;
}

int main(int argc, char **argv)
{
    static struct client client = { .walking = PTHREAD_MUTEX_INITIALIZER };
    int                  status;

    if (argc < 3 || argc - 2 > TARGETS_MAX) {
        fprintf(stderr, "usage: digest-client PATH TARGET...\n"
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
