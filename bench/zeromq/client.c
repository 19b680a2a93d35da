/*
 * ZeroMQ's echo, calling: a dealer for each connection, since one connects only once to an address.
 *
 * The idea: a thread waits, with epoll, on the descriptors by which dealers tell that something has come. It
 * then takes all that is there, and sends anew for each; ZeroMQ's own thread puts these together into writes.
 * Answers come in the order of requests, so a ring of moments for each dealer is enough.
 */
#include "measure/arguments.h"
#include "measure/chain.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "measure/process.h"
#include "peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <uv.h>

#define FILES_PER_DEALER 2 /* its connection, and what tells that a message has come */
#define SPARE_FILES 100
#define EVENTS 256 /* taken from epoll at a time */

/* One of the calls that may be outstanding. */
struct slot {
    uint64_t start_ns;
    unsigned answers; /* of its chain */
};

struct dealer {
    void        *socket;
    struct slot *slots; /* a ring */
    size_t       count; /* of slots */
    size_t       oldest;
    size_t       outstanding;
};

struct client {
    void                *context;
    struct dealer       *dealers;
    size_t               next; /* the dealer whose turn it is, in the open loop */
    int                  epoll;
    int                  timer;
    char                *payload;
    bench_client_options options;
    bench_load           load;
};

static void client_send(struct client *client, struct dealer *dealer)
{
    zmq_msg_t message;

    bench_zeromq_must(zmq_msg_init_size(&message, client->options.size), "make a message");
    memcpy(zmq_msg_data(&message), client->payload, client->options.size);
    bench_zeromq_must(zmq_msg_send(&message, dealer->socket, 0), "send");
    dealer->outstanding++;
}

static struct slot *dealer_free_slot(struct dealer *dealer)
{
    return &dealer->slots[(dealer->oldest + dealer->outstanding) % dealer->count];
}

/* Makes what is due on this dealer. True: it is used up, and more may be due. */
static bool client_call_on(struct client *client, struct dealer *dealer, uint64_t now_ns)
{
    while (dealer->outstanding < dealer->count) {
        struct slot *slot = dealer_free_slot(dealer);

        if (!bench_load_call(&client->load, now_ns, &slot->start_ns))
            return false;
        slot->answers = 0;
        client_send(client, dealer);
    }
    return true;
}

/* In the open loop, what is due falls to the next dealer in turn; in the closed loop all fill their slots. */
static void client_call(struct client *client, uint64_t now_ns)
{
    for (size_t i = 0; i < client->options.connections; i++) {
        struct dealer *dealer = &client->dealers[client->next];

        client->next = (client->next + 1) % client->options.connections;
        if (!client_call_on(client, dealer, now_ns))
            return;
    }
}

static void client_answered(struct client *client, struct dealer *dealer, uint64_t now_ns)
{
    struct slot slot = dealer->slots[dealer->oldest];

    dealer->oldest = (dealer->oldest + 1) % dealer->count;
    dealer->outstanding--;
    if (++slot.answers < BENCH_CHAIN_CALLS) {
        *dealer_free_slot(dealer) = slot;
        client_send(client, dealer);
        return;
    }
    bench_load_answered(&client->load, slot.start_ns, now_ns);
}

/* Takes all that has come, and sends anew. False: the time is up. */
static bool client_take(struct client *client, struct dealer *dealer)
{
    uint64_t  now_ns = uv_hrtime();
    zmq_msg_t answer;
    int       size;

    if (!bench_load_goes_on(&client->load, now_ns))
        return false;
    bench_zeromq_must(zmq_msg_init(&answer), "make a message");
    while ((size = zmq_msg_recv(&answer, dealer->socket, ZMQ_DONTWAIT)) >= 0) {
        if ((size_t)size != client->options.size)
            bench_fail("%d bytes came back where %zu were due", size, client->options.size);
        client_answered(client, dealer, now_ns);
        client_call_on(client, dealer, now_ns);
    }
    if (errno != EAGAIN)
        bench_zeromq_must(-1, "receive");
    zmq_msg_close(&answer);
    return true;
}

static void client_watch(struct client *client, int descriptor, void *owner)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = owner };

    if (epoll_ctl(client->epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
        bench_fail("cannot watch a socket: %m");
}

static void dealer_open(struct client *client, struct dealer *dealer, size_t count)
{
    int    descriptor;
    size_t size = sizeof descriptor;

    dealer->socket = bench_zeromq_unlimited(client->context, ZMQ_DEALER);
    dealer->count = count;
    dealer->slots = bench_alloc(count, sizeof *dealer->slots);
    bench_zeromq_connect(dealer->socket, client->options.target);
    bench_zeromq_must(zmq_getsockopt(dealer->socket, ZMQ_FD, &descriptor, &size), "read a descriptor");
    client_watch(client, descriptor, dealer);
}

static void client_open(struct client *client)
{
    size_t count = client->options.connections;

    bench_process_raise_files(FILES_PER_DEALER * count + SPARE_FILES);
    client->payload = bench_alloc(client->options.size + 1, 1);
    memset(client->payload, 'x', client->options.size);
    client->context = zmq_ctx_new();
    bench_zeromq_must(zmq_ctx_set(client->context, ZMQ_MAX_SOCKETS, (int)(count + SPARE_FILES)),
                      "raise a limit");
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (client->epoll < 0)
        bench_fail("cannot wait for sockets: %m");
    client->dealers = bench_alloc(count, sizeof *client->dealers);
    for (size_t i = 0; i < count; i++)
        dealer_open(client, &client->dealers[i], bench_share(client->options.outstanding, count, i));
}

/* A dealer's descriptor tells of a change, not of a state: what came before the wait has to be taken first.
 */
static bool client_take_all(struct client *client)
{
    for (size_t i = 0; i < client->options.connections; i++) {
        if (!client_take(client, &client->dealers[i]))
            return false;
    }
    return true;
}

static bool client_on_timer(struct client *client)
{
    uint64_t now_ns = uv_hrtime();

    bench_load_timer_clear(client->timer);
    if (!bench_load_goes_on(&client->load, now_ns))
        return false;
    client_call(client, now_ns);
    return client_take_all(client); /* sending may have taken notice of what came */
}

static void client_run(struct client *client)
{
    struct epoll_event events[EVENTS];
    bool               goes_on;

    bench_load_begin(&client->load, &client->options, uv_hrtime());
    client->timer = bench_load_timer_open(&client->load);
    if (client->timer >= 0)
        client_watch(client, client->timer, NULL);
    client_call(client, uv_hrtime());
    goes_on = client_take_all(client);
    while (goes_on) {
        int count = epoll_wait(client->epoll, events, EVENTS, -1);

        for (int i = 0; i < count && goes_on; i++)
            goes_on = events[i].data.ptr ? client_take(client, events[i].data.ptr) : client_on_timer(client);
    }
    bench_load_print(&client->load);
}

int main(int argc, char **argv)
{
    static struct client client;

    client.options = bench_client_options_read(argc, argv);
    client_open(&client);
    client_run(&client);
    _Exit(fflush(stdout) ? 1 : 0); /* what is outstanding goes with the process */
}
