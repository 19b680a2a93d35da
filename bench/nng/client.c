/*
 * nng's echo, calling: a requester with a context for each call that may be outstanding.
 *
 * The idea: all connections are dialers of one socket, which gives each the next request in turn. nng calls
 * back on threads of its own, so the load has a lock; requests are sent outside of it, for nng may call back
 * while they are.
 */
#include "measure/arguments.h"
#include "measure/chain.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "measure/process.h"
#include "peer.h"

#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define SPARE_FILES 100 /* beside the connections */

struct client {
    nng_socket           requester;
    char                *payload;
    bench_client_options options;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t  ended;
    bool            over;
    struct slot    *idle;
    bench_load      load;
};

/* One of the N calls that may be outstanding. */
struct slot {
    struct client *client; /* lent */
    struct slot   *next;
    nng_ctx        context;
    nng_aio       *aio;
    bool           is_sent;
    unsigned       answers; /* of its chain */
    uint64_t       start_ns;
};

static void slot_send(struct slot *slot)
{
    struct client *client = slot->client;
    nng_msg       *message;

    bench_nng_must(nng_msg_alloc(&message, client->options.size), "make a message");
    memcpy(nng_msg_body(message), client->payload, client->options.size);
    slot->is_sent = false;
    nng_aio_set_msg(slot->aio, message);
    nng_ctx_send(slot->context, slot->aio);
}

/* Takes idle slots for all calls that are due. Under the lock. */
static struct slot *client_take_due(struct client *client, uint64_t now_ns)
{
    struct slot *due = NULL;

    while (client->idle && bench_load_call(&client->load, now_ns, &client->idle->start_ns)) {
        struct slot *slot = client->idle;

        client->idle = slot->next;
        slot->next = due;
        due = slot;
    }
    return due;
}

static void slots_send(struct slot *due)
{
    while (due) {
        struct slot *slot = due;

        due = slot->next;
        slot_send(slot);
    }
}

/* Under the lock. */
static bool client_goes_on(struct client *client, uint64_t now_ns)
{
    if (client->over)
        return false;
    if (bench_load_goes_on(&client->load, now_ns))
        return true;
    client->over = true;
    bench_load_print(&client->load);
    pthread_cond_signal(&client->ended);
    return false;
}

static void slot_answered(struct slot *slot)
{
    struct client *client = slot->client;
    struct slot   *due = NULL;
    uint64_t       now_ns;

    pthread_mutex_lock(&client->lock);
    now_ns = uv_hrtime();
    if (client_goes_on(client, now_ns)) {
        bench_load_answered(&client->load, slot->start_ns, now_ns);
        slot->answers = 0;
        slot->next = client->idle;
        client->idle = slot;
        due = client_take_due(client, now_ns);
    }
    pthread_mutex_unlock(&client->lock);
    slots_send(due);
}

static void slot_take_answer(struct slot *slot)
{
    nng_msg *answer = nng_aio_get_msg(slot->aio);

    if (nng_msg_len(answer) != slot->client->options.size)
        bench_fail("%zu bytes came back where %zu were due", nng_msg_len(answer), slot->client->options.size);
    nng_msg_free(answer);
    if (++slot->answers < BENCH_CHAIN_CALLS)
        slot_send(slot);
    else
        slot_answered(slot);
}

static void slot_on(void *arg)
{
    struct slot *slot = arg;

    bench_nng_must(nng_aio_result(slot->aio), slot->is_sent ? "receive an answer" : "send");
    if (slot->is_sent) {
        slot_take_answer(slot);
    } else {
        slot->is_sent = true;
        nng_ctx_recv(slot->context, slot->aio);
    }
}

static void client_open(struct client *client)
{
    bench_process_raise_files(client->options.connections + SPARE_FILES);
    pthread_mutex_init(&client->lock, NULL);
    pthread_cond_init(&client->ended, NULL);
    client->payload = bench_alloc(client->options.size + 1, 1);
    memset(client->payload, 'x', client->options.size);
    bench_nng_must(nng_req0_open(&client->requester), "open a socket");
    bench_nng_socket_init(client->requester);
    for (size_t i = 0; i < client->options.connections; i++)
        bench_nng_dial(client->requester, client->options.target);
    for (size_t i = 0; i < client->options.outstanding; i++) {
        struct slot *slot = bench_alloc(1, sizeof *slot);

        slot->client = client;
        bench_nng_must(nng_ctx_open(&slot->context, client->requester), "open a context");
        bench_nng_must(nng_aio_alloc(&slot->aio, slot_on, slot), "prepare for a call");
        slot->next = client->idle;
        client->idle = slot;
    }
}

static bool client_begin_due(struct client *client)
{
    struct slot *due = NULL;
    uint64_t     now_ns;
    bool         goes_on;

    pthread_mutex_lock(&client->lock);
    now_ns = uv_hrtime();
    goes_on = client_goes_on(client, now_ns);
    if (goes_on)
        due = client_take_due(client, now_ns);
    pthread_mutex_unlock(&client->lock);
    slots_send(due);
    return goes_on;
}

static void client_run(struct client *client)
{
    struct pollfd timer = { .events = POLLIN };

    bench_load_begin(&client->load, &client->options, uv_hrtime());
    timer.fd = bench_load_timer_open(&client->load);
    while (client_begin_due(client) && timer.fd >= 0) {
        poll(&timer, 1, -1);
        bench_load_timer_clear(timer.fd);
    }
    pthread_mutex_lock(&client->lock);
    while (!client->over)
        pthread_cond_wait(&client->ended, &client->lock);
    pthread_mutex_unlock(&client->lock);
}

int main(int argc, char **argv)
{
    static struct client client;

    client.options = bench_client_options_read(argc, argv);
    client_open(&client);
    client_run(&client);
    _exit(0); /* nng's threads go with the process */
}
