/*
 * The simulated loop: a clock that jumps.
 *
 * The idea: while there is something to do, no time passes; then the clock goes to the next timer. What
 * takes time elsewhere (posts, jobs of the thread pool, the network) is a timer here, with a duration
 * drawn from the loop's seed. One seed is one run, event for event.
 */
#include "runtime/loop/sim_loop.h"

#include "runtime/base/memory.h"

#include <pthread.h>

#define NS_PER_US 1000u
#define START_NS 1000000000u /* not 0: a moment of 0 would hide what was never set */

#define POOL_THREADS 4 /* as libuv's pool has */
#define WORK_MIN_NS 10000u
#define WORK_MAX_NS 2000000u
#define POST_MAX_NS 200000u

/* A chain that feeds itself must not stop the clock: every hundred thousand tasks in a row take a
 * millisecond. */
#define DRAIN_ROUNDS 64
#define DRAIN_NS 1000000u

typedef struct sim_loop {
    vow_loop  loop; /* first */
    uint64_t  clock_ns;
    uint64_t  random; /* of posts and jobs: what they take does not change back-off's jitter */
    pthread_t thread;
    vow_list  posts; /* in order, first due first */
    vow_timer post_due;
    uint64_t  last_post_ns;
    vow_list  jobs; /* those that wait for a thread */
    unsigned  threads_busy;
    bool      is_finishing;
} sim_loop;

typedef struct post {
    vow_link link;
    uint64_t due_ns;
    void (*run)(void *arg);
    void *arg;
} post;

/* What carries an offload. */
typedef struct job {
    vow_link     link; /* in sim->jobs until it has a thread */
    vow_task     recalled;
    vow_timer    done;
    sim_loop    *sim; /* lent */
    vow_offload *offload;
} job;

static sim_loop *sim_of(vow_loop *loop)
{
    return (sim_loop *)loop;
}

/* What a scheduler asks of its loop */

static void sim_wake(vow_scheduler *scheduler)
{
    (void)scheduler;
}

static uint64_t sim_clock_ns(vow_scheduler *scheduler)
{
    return ((sim_loop *)scheduler)->clock_ns;
}

static void sim_keep_alive(vow_scheduler *scheduler, bool keep)
{
    (void)scheduler;
    (void)keep;
}

static bool sim_on_thread(const vow_scheduler *scheduler)
{
    return pthread_equal(((const sim_loop *)scheduler)->thread, pthread_self()) != 0;
}

static void sim_drain(sim_loop *sim)
{
    for (unsigned round = 0; round < DRAIN_ROUNDS; round++) {
        if (!vow_scheduler_run(&sim->loop.scheduler))
            return;
    }
}

/* The moment to go on at, after a drain. Tasks that are left make timers late, as on a busy processor. */
static uint64_t sim_next_ns(const sim_loop *sim)
{
    uint64_t next = vow_timers_next_ns(&sim->loop.scheduler.timers);

    if (vow_scheduler_has_tasks(&sim->loop.scheduler))
        return sim->clock_ns + DRAIN_NS;
    return next > sim->clock_ns ? next : sim->clock_ns;
}

static void sim_go_to(sim_loop *sim, uint64_t ns)
{
    sim->clock_ns = ns;
    vow_scheduler_tick(&sim->loop.scheduler);
}

/* As uv_run, it ends when nothing holds it: a timer of an idle connection does not. */
static vow_code sim_turn(vow_scheduler *scheduler)
{
    sim_loop *sim = (sim_loop *)scheduler;
    bool      had_tasks = vow_scheduler_has_tasks(&sim->loop.scheduler);
    uint64_t  next;

    sim_drain(sim);
    if (had_tasks && !vow_scheduler_has_tasks(&sim->loop.scheduler))
        return VOW_OK; /* what is waited for may have settled: no time passes before that was looked at */
    next = sim_next_ns(sim);
    if (next == VOW_TIMERS_NEVER || (scheduler->holds == 0 && !vow_scheduler_has_tasks(&sim->loop.scheduler)))
        return VOW_FAILED_PRECONDITION;
    sim_go_to(sim, next);
    return VOW_OK;
}

/* Posts */

static void posts_arm(sim_loop *sim)
{
    vow_link *first = vow_list_first(&sim->posts);

    if (first)
        vow_timers_arm(&sim->loop.scheduler.timers, &sim->post_due, VOW_OWNER(first, post, link)->due_ns);
}

static void posts_fire(vow_timer *timer)
{
    sim_loop *sim = VOW_OWNER(timer, sim_loop, post_due);
    vow_link *first;

    while ((first = vow_list_first(&sim->posts))) {
        post *due = VOW_OWNER(first, post, link);
        post  kept = *due;

        if (due->due_ns > sim->clock_ns)
            break;
        vow_link_remove(first);
        vow_free(due);
        kept.run(kept.arg);
        vow_scheduler_release(&sim->loop.scheduler);
    }
    posts_arm(sim);
}

static vow_code sim_post(vow_loop *loop, void (*run)(void *arg), void *arg)
{
    sim_loop *sim = sim_of(loop);
    post     *posted = vow_alloc(sizeof *posted);
    uint64_t  due = sim->clock_ns + vow_random_below(&sim->random, POST_MAX_NS + 1);

    if (!posted)
        return VOW_RESOURCE_EXHAUSTED;
    if (due < sim->last_post_ns)
        due = sim->last_post_ns;
    sim->last_post_ns = due;
    *posted = (post){ .due_ns = due, .run = run, .arg = arg };
    vow_list_append(&sim->posts, &posted->link);
    vow_scheduler_hold(&loop->scheduler);
    posts_arm(sim);
    return VOW_OK;
}

/* Jobs of the thread pool */

static void jobs_start(sim_loop *sim)
{
    vow_link *first;

    while (sim->threads_busy < POOL_THREADS && (first = vow_list_shift(&sim->jobs))) {
        job     *starting = VOW_OWNER(first, job, link);
        uint64_t takes = WORK_MIN_NS + vow_random_below(&sim->random, WORK_MAX_NS - WORK_MIN_NS + 1);

        sim->threads_busy++;
        vow_timers_arm(&sim->loop.scheduler.timers, &starting->done, sim->clock_ns + takes);
    }
}

static void job_done(vow_timer *timer)
{
    job         *done = VOW_OWNER(timer, job, done);
    sim_loop    *sim = done->sim;
    vow_offload *offload = done->offload;

    vow_free(done);
    offload->run(offload);
    sim->threads_busy--;
    jobs_start(sim);
    offload->ran(offload, true);
}

static void job_recalled(vow_task *task)
{
    job         *recalled = VOW_OWNER(task, job, recalled);
    vow_offload *offload = recalled->offload;

    vow_free(recalled);
    offload->ran(offload, false);
}

static vow_code sim_offload(vow_loop *loop, vow_offload *offload)
{
    sim_loop *sim = sim_of(loop);
    job      *waiting = vow_alloc(sizeof *waiting);

    if (!waiting)
        return VOW_RESOURCE_EXHAUSTED;
    waiting->sim = sim;
    waiting->offload = offload;
    vow_task_init(&waiting->recalled, job_recalled);
    vow_timer_init(&waiting->done, job_done);
    vow_list_append(&sim->jobs, &waiting->link);
    offload->carrier = waiting;
    jobs_start(sim);
    return VOW_OK;
}

static void sim_recall(vow_loop *loop, vow_offload *offload)
{
    job *recalled = offload->carrier;

    if (vow_timer_armed(&recalled->done)) /* it runs already */
        return;
    vow_link_remove(&recalled->link);
    vow_scheduler_soon(&loop->scheduler, &recalled->recalled);
}

/* The end */

static void sim_free(sim_loop *sim)
{
    vow_loop_done(&sim->loop);
    vow_free(sim);
}

/* Runs what is left, and frees the loop unless the program still has handles to something on it. */
static void sim_finish(sim_loop *sim)
{
    uint64_t next;

    sim->is_finishing = true;
    for (;;) {
        sim_drain(sim);
        if (vow_loop_is_quiet(&sim->loop)) {
            sim_free(sim);
            return;
        }
        next = sim_next_ns(sim);
        if (next == VOW_TIMERS_NEVER)
            break;
        sim_go_to(sim, next);
    }
    sim->is_finishing = false;
}

/* From a callback it has to wait: vow_loop_advance goes on with it, or the last handle that is dropped. */
static void sim_finish_unless_inside(sim_loop *sim)
{
    const vow_scheduler *scheduler = &sim->loop.scheduler;

    if (scheduler->depth == 0 && !scheduler->is_reaping && !sim->is_finishing)
        sim_finish(sim);
}

static void sim_idle(vow_scheduler *scheduler)
{
    sim_finish_unless_inside((sim_loop *)scheduler);
}

static void sim_close(vow_loop *loop)
{
    sim_finish_unless_inside(sim_of(loop));
}

/* The public face */

static const vow_loop_kind sim_kind = {
    .scheduler = {
        .wake = sim_wake,
        .clock_ns = sim_clock_ns,
        .keep_alive = sim_keep_alive,
        .turn = sim_turn,
        .on_thread = sim_on_thread,
        .idle = sim_idle,
    },
    .post = sim_post,
    .offload = sim_offload,
    .recall = sim_recall,
    .close = sim_close,
};

vow_loop *vow_loop_simulated(uint64_t seed)
{
    uint64_t  loop_seed = vow_random_next(&seed);
    uint64_t  network_seed = vow_random_next(&seed);
    sim_loop *sim = vow_alloc_zeroed(sizeof *sim);

    if (!sim)
        return NULL;
    sim->clock_ns = START_NS;
    sim->random = vow_random_next(&seed);
    sim->thread = pthread_self();
    vow_list_init(&sim->posts);
    vow_list_init(&sim->jobs);
    vow_timer_init(&sim->post_due, posts_fire);
    if (vow_loop_init(&sim->loop, &sim_kind, loop_seed) != VOW_OK) {
        vow_free(sim);
        return NULL;
    }
    sim->loop.network = vow_network_new(&sim->loop, network_seed);
    sim->loop.network_free = vow_network_free;
    if (!sim->loop.network) {
        sim_free(sim);
        return NULL;
    }
    return &sim->loop;
}

void vow_loop_advance(vow_loop *loop, int64_t ms)
{
    sim_loop *sim = sim_of(loop);
    uint64_t  target;
    uint64_t  next;

    VOW_RULE_THREAD(&loop->scheduler);
    VOW_RULE(vow_loop_is_simulated(loop), "vow_loop_advance moves the clock of a simulated loop only");
    VOW_RULE(loop->scheduler.depth == 0, "vow_loop_advance runs callbacks, and so is not for use inside one");
    if (!vow_loop_is_simulated(loop) || loop->scheduler.depth > 0)
        return;
    target = vow_scheduler_after_ms(&loop->scheduler, ms);
    sim_drain(sim);
    while ((next = sim_next_ns(sim)) <= target) {
        sim_go_to(sim, next);
        sim_drain(sim);
    }
    sim_go_to(sim, target);
    if (vow_loop_closing(loop))
        sim_finish_unless_inside(sim);
}
