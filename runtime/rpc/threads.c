/*
 * A loop per thread, sharing addresses.
 *
 * The idea: the threads have one acceptor between them, and nothing else. They are set up one after the other; to
 * stop them, each is asked by vow_loop_post to drain its servers.
 */
#include "runtime/base/memory.h"
#include "runtime/loop/thread.h"
#include "runtime/rpc/server.h"
#include "runtime/transport/acceptor.h"

typedef struct worker {
    vow_threads     *threads;
    size_t           index;
    vow_loop_thread *thread;
    size_t           draining; /* servers */
} worker;

struct vow_threads {
    vow_acceptor *acceptor;
    vow_setup_fn *setup;
    void         *arg;
    int64_t       grace_ms;
    size_t        count; /* that run */
    worker        workers[];
};

/* Stopping: on the worker's thread */

static void worker_drained(vow_future *settled, void *arg)
{
    worker *worker = arg;

    (void)settled;
    if (--worker->draining == 0)
        vow_loop_thread_end(worker->thread);
}

static void worker_stop(void *arg)
{
    worker   *worker = arg;
    vow_loop *loop = vow_loop_thread_loop(worker->thread);

    worker->draining = 1;
    for (vow_link *link = loop->closers.head.next; link != &loop->closers.head; link = link->next) {
        vow_server *server = vow_server_of_closer(VOW_OWNER(link, vow_closer, link));

        if (!server)
            continue;
        worker->draining++;
        vow_done(vow_server_drain(server, worker->threads->grace_ms), worker_drained, worker);
    }
    worker_drained(NULL, worker);
}

void vow_threads_stop(vow_threads *threads, int64_t grace_ms)
{
    if (!threads)
        return;
    threads->grace_ms = grace_ms;
    for (size_t i = 0; i < threads->count; i++) {
        worker *worker = &threads->workers[i];

        while (vow_loop_post(vow_loop_thread_loop(worker->thread), worker_stop, worker) != VOW_OK)
            vow_report("no memory to stop a thread; trying again");
    }
    for (size_t i = 0; i < threads->count; i++)
        vow_loop_thread_join(threads->workers[i].thread);
    vow_acceptor_stop(threads->acceptor);
    vow_free(threads);
}

/* Starting */

static vow_code worker_begin(vow_loop *loop, void *arg, vow_error *error)
{
    worker      *worker = arg;
    vow_threads *threads = worker->threads;

    loop->acceptor = threads->acceptor;
    return threads->setup(loop, worker->index, threads->arg, error);
}

static bool worker_start(vow_threads *threads, size_t index, vow_error *error)
{
    worker   *worker = &threads->workers[index];
    vow_error cause = { VOW_UNKNOWN, "its setup failed and said nothing" };

    worker->threads = threads;
    worker->index = index;
    worker->thread = vow_loop_thread_start(worker_begin, worker, &cause);
    if (worker->thread)
        return true;
    vow_error_set(error, cause.code, "thread %zu: %s", index, cause.message);
    return false;
}

vow_threads *vow_threads_start(size_t count, vow_setup_fn *setup, void *arg, vow_error *error)
{
    vow_threads *threads = vow_alloc_zeroed(sizeof *threads + count * sizeof threads->workers[0]);

    if (threads)
        threads->acceptor = vow_acceptor_start();
    if (!threads || !threads->acceptor) {
        vow_free(threads);
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no memory, thread or file descriptor for threads");
        return NULL;
    }
    threads->setup = setup;
    threads->arg = arg;
    for (size_t i = 0; i < count; i++) {
        if (!worker_start(threads, i, error)) {
            vow_threads_stop(threads, 0);
            return NULL;
        }
        threads->count++;
    }
    return threads;
}
