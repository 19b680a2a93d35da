/*
 * A thread with a loop, its connections and a generator.
 *
 * The idea: workers share nothing. Whoever runs them talks to each by posting to its loop, and is told by
 * posts to its own; only what was counted is taken across, by load_generator_exchange.
 *
 * The life of one: start, `ready` comes; go; `over` comes; quit; free. All on the thread that runs them.
 */
#ifndef VOW_LOAD_WORKER_H
#define VOW_LOAD_WORKER_H

#include "tools/vow-load/generator.h"
#include "tools/vow-load/plan.h"

typedef struct load_worker load_worker;

/* Called on the loop of who runs the workers. */
typedef struct load_worker_events {
    void (*ready)(load_worker *worker,
                  void        *arg); /* its connections are there, or load_worker_problem says why not */
    void (*over)(load_worker *worker, void *arg); /* after load_worker_go: no calls are left */
    void *arg;
} load_worker_events;

/* NULL: no thread could be had. `plan` and `loop` are lent until load_worker_free. */
load_worker *load_worker_start(const load_plan *plan, size_t place, vow_loop *loop,
                               const load_worker_events *events);

/* "" or what kept it from being ready, or from making a request. */
const char *load_worker_problem(const load_worker *worker);

/* Starts the generator: the schedule begins at `start_ns`. */
void load_worker_go(load_worker *worker, uint64_t start_ns);

/* Begins no more calls; with `gives_up`, what is outstanding is cancelled as well. */
void load_worker_stop(load_worker *worker, bool gives_up);

/* Valid from `ready` on. Until load_worker_quit has returned, only for load_generator_exchange. */
load_generator *load_worker_generator(load_worker *worker);

/* After `ready` or `over`: closes its connections, ends its loop and waits for the thread. */
void load_worker_quit(load_worker *worker);
void load_worker_free(load_worker *worker);

#endif
