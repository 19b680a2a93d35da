/*
 * nng's talk: messages to the other end of a pair, at most N that have not come back.
 *
 * The idea: one thread sends and one receives, so that neither end ever waits for the other to read. A place
 * among the N is taken before a message is sent, and given back when it came; a ring holds when each was
 * sent.
 */
#include "measure/arguments.h"
#include "measure/fail.h"
#include "measure/load.h"
#include "stream.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

struct talk {
    nng_socket            pair;
    char                 *payload;
    sem_t                 places;
    atomic_uint_fast64_t *start_ns; /* a ring */
    bench_client_options  options;
    bench_load            load;
};

static void *talk_send(void *arg)
{
    struct talk *talk = arg;
    size_t       size = talk->options.size;
    nng_msg     *message;

    for (size_t index = 0;; index = (index + 1) % talk->options.outstanding) {
        while (sem_wait(&talk->places) != 0)
            ; /* a signal came between */
        bench_nng_must(nng_msg_alloc(&message, size), "make a message");
        memcpy(nng_msg_body(message), talk->payload, size);
        atomic_store(&talk->start_ns[index], uv_hrtime());
        bench_nng_must(nng_sendmsg(talk->pair, message, 0), "send");
    }
    return NULL;
}

static void talk_receive(struct talk *talk)
{
    nng_msg *message;

    for (size_t index = 0;; index = (index + 1) % talk->options.outstanding) {
        uint64_t now_ns;

        bench_nng_must(nng_recvmsg(talk->pair, &message, 0), "receive");
        if (nng_msg_len(message) != talk->options.size)
            bench_fail("%zu bytes came back where %zu were due", nng_msg_len(message), talk->options.size);
        nng_msg_free(message);
        now_ns = uv_hrtime();
        if (!bench_load_goes_on(&talk->load, now_ns))
            return;
        bench_load_answered(&talk->load, atomic_load(&talk->start_ns[index]), now_ns);
        sem_post(&talk->places);
    }
}

int main(int argc, char **argv)
{
    static struct talk talk;
    pthread_t          sender;

    talk.options = bench_client_options_read(argc, argv);
    if (talk.options.connections > 1 || talk.options.rate > 0)
        bench_fail_usage("a talk has one connection, and no --rate");
    talk.pair = bench_nng_stream_open();
    talk.payload = bench_alloc(talk.options.size + 1, 1);
    memset(talk.payload, 'x', talk.options.size);
    talk.start_ns = bench_alloc(talk.options.outstanding, sizeof *talk.start_ns);
    bench_nng_dial(talk.pair, talk.options.target);
    if (sem_init(&talk.places, 0, (unsigned)talk.options.outstanding) != 0)
        bench_fail("cannot make a semaphore: %m");

    bench_load_begin(&talk.load, &talk.options, uv_hrtime());
    if (pthread_create(&sender, NULL, talk_send, &talk) != 0)
        bench_fail("cannot start a thread");
    talk_receive(&talk);
    bench_load_print(&talk.load);
    _exit(0); /* the threads go with the process */
}
