#include "tools/vow-load/worker.h"

#include "tools/vow-load/buffer.h"
#include "tools/vow-load/pacer.h"

#include <stdio.h>
#include <stdlib.h>

struct load_worker {
    const load_plan   *plan;
    size_t             place;
    vow_loop          *owner; /* of who runs the workers */
    load_worker_events events;
    uv_thread_t        thread;

    /* On its thread. */
    uv_loop_t       uv;
    vow_loop       *loop;
    vow_channel   **channels;
    size_t          channel_count;
    size_t          connected;
    load_pacer     *pacer;
    load_generator *generator;
    uint64_t        start_ns;
    load_problem    problem;
};

/* To who runs it */

static void worker_say_ready(void *arg)
{
    load_worker *worker = arg;

    worker->events.ready(worker, worker->events.arg);
}

static void worker_say_over(void *arg)
{
    load_worker *worker = arg;

    worker->events.over(worker, worker->events.arg);
}

/* A post that is lost would leave its reader waiting for ever. */
static void worker_post(vow_loop *loop, void (*run)(void *), load_worker *worker)
{
    if (vow_loop_post(loop, run, worker) != VOW_OK) {
        fputs("vow-load: out of memory\n", stderr);
        exit(1);
    }
}

/* On its thread */

static void worker_over(void *arg)
{
    load_worker *worker = arg;

    worker_post(worker->owner, worker_say_over, worker);
}

static void worker_wake(void *arg)
{
    load_worker *worker = arg;

    load_generator_wake(worker->generator);
}

/* Of `count` things shared in turn, how many this worker has. */
static size_t worker_share(const load_worker *worker, size_t count)
{
    size_t of = worker->plan->threads;

    return count / of + (worker->place < count % of);
}

static void worker_make_generator(load_worker *worker)
{
    load_generator_setup setup = {
        .channels = worker->channels,
        .channel_count = worker->channel_count,
        .method = worker->plan->method,
        .metadata = worker->plan->metadata,
        .timeout_ms = worker->plan->timeout_ms,
        .schedule = &worker->plan->schedule,
        .requests = worker->plan->requests,
        .first_request = worker->plan->first_request,
        .outstanding = worker_share(worker, worker->plan->outstanding),
        .place = worker->place,
        .of = worker->plan->threads,
        .clock = { load_pacer_now_ns, load_pacer_wake_at, NULL },
        .over = worker_over,
        .arg = worker,
    };

    worker->pacer = load_pacer_open(&worker->uv, worker->plan->spins, worker_wake, worker, &worker->problem);
    setup.clock.arg = worker->pacer;
    if (worker->pacer)
        worker->generator = load_generator_new(&setup);
}

static void worker_connected(vow_future *ready, void *arg)
{
    load_worker *worker = arg;

    worker->connected += vow_future_code(ready) == VOW_OK;
}

static void worker_all_connected(vow_future *all, void *arg)
{
    load_worker *worker = arg;

    if (vow_future_code(all) != VOW_OK)
        load_problem_set(&worker->problem, "%zu of %zu connections could be made (--connect-timeout)",
                         worker->connected, worker->channel_count);
    else
        worker_make_generator(worker);
    worker_post(worker->owner, worker_say_ready, worker);
}

static void worker_connect(load_worker *worker)
{
    vow_future **ready;
    int64_t      connect_ms = (int64_t)(worker->plan->connect_ns / 1000000);

    worker->channel_count = worker_share(worker, worker->plan->connections);
    worker->channels = load_alloc(worker->channel_count, sizeof *worker->channels);
    ready = load_alloc(worker->channel_count, sizeof *ready);
    for (size_t i = 0; i < worker->channel_count; i++) {
        worker->channels[i] = load_plan_channel(worker->plan, worker->loop);
        ready[i] = vow_finally(vow_channel_ready(worker->channels[i]), worker_connected, worker);
    }
    vow_done(vow_timeout(vow_all(worker->loop, worker->channel_count, ready), connect_ms),
             worker_all_connected, worker);
    free(ready);
}

static void worker_run(void *arg)
{
    load_worker *worker = arg;

    uv_loop_init(&worker->uv);
    worker->loop = vow_loop_attach(&worker->uv);
    if (!worker->loop) {
        load_problem_set(&worker->problem, "no memory or file descriptors for a loop");
        worker_post(worker->owner, worker_say_ready, worker);
    } else {
        vow_loop_hold(worker->loop); /* for posts, until load_worker_quit */
        worker_connect(worker);
        uv_run(&worker->uv, UV_RUN_DEFAULT);
    }
    uv_loop_close(&worker->uv);
}

static void worker_do_go(void *arg)
{
    load_worker *worker = arg;

    load_generator_start(worker->generator, worker->start_ns);
}

static void worker_close_channels(load_worker *worker)
{
    for (size_t i = 0; i < worker->channel_count; i++) {
        vow_channel_close(worker->channels[i]);
        worker->channels[i] = NULL;
    }
}

static void worker_do_stop(void *arg)
{
    load_generator_stop(((load_worker *)arg)->generator);
}

static void worker_do_give_up(void *arg)
{
    load_worker *worker = arg;

    load_generator_give_up(worker->generator);
    worker_close_channels(worker);
}

static void worker_do_quit(void *arg)
{
    load_worker *worker = arg;

    worker_close_channels(worker);
    load_pacer_close(worker->pacer);
    vow_loop_release(worker->loop);
    vow_loop_close(worker->loop);
}

/* Who runs it */

load_worker *load_worker_start(const load_plan *plan, size_t place, vow_loop *loop,
                               const load_worker_events *events)
{
    load_worker *worker = load_alloc(1, sizeof *worker);

    worker->plan = plan;
    worker->place = place;
    worker->owner = loop;
    worker->events = *events;
    if (uv_thread_create(&worker->thread, worker_run, worker) == 0)
        return worker;
    free(worker);
    return NULL;
}

const char *load_worker_problem(const load_worker *worker)
{
    if (!worker->problem.text[0] && worker->generator)
        return load_generator_problem(worker->generator);
    return worker->problem.text;
}

void load_worker_go(load_worker *worker, uint64_t start_ns)
{
    worker->start_ns = start_ns;
    worker_post(worker->loop, worker_do_go, worker);
}

void load_worker_stop(load_worker *worker, bool gives_up)
{
    worker_post(worker->loop, gives_up ? worker_do_give_up : worker_do_stop, worker);
}

load_generator *load_worker_generator(load_worker *worker)
{
    return worker->generator;
}

void load_worker_quit(load_worker *worker)
{
    if (worker->loop)
        worker_post(worker->loop, worker_do_quit, worker);
    uv_thread_join(&worker->thread);
}

void load_worker_free(load_worker *worker)
{
    if (!worker)
        return;
    load_generator_free(worker->generator);
    free(worker->channels);
    free(worker);
}
