/*
 * vow_work: a function that runs on libuv's thread pool, and its future.
 *
 * The future is busy from the start until the function has returned, or is known never to run: so what is
 * attached to it, and the job itself, outlive the thread that uses them.
 */
#include "runtime/base/memory.h"
#include "runtime/future/future.h"
#include "runtime/loop/loop.h"

typedef struct work_future {
    vow_future     future; /* first */
    struct work   *work;   /* NULL: has ended */
    void          *job;
    vow_release_fn *release;
} work_future;

/* Apart from the future: a thread writes to it. */
typedef struct work {
    vow_offload  offload; /* first */
    work_future *owner;
    vow_code (*run)(void *job, vow_error *error);
    void     *job;
    vow_code  code;
    vow_error error;
} work;

_Static_assert(sizeof(work_future) <= VOW_FUTURE_ROOM, "a work_future fits into the pool of small futures");

static void work_cancel(vow_future *future)
{
    work_future *owner = (work_future *)future;

    if (owner->work)
        vow_loop_kind_of(vow_loop_of(future->scheduler))->recall(vow_loop_of(future->scheduler), &owner->work->offload);
}

static void work_destroy(vow_future *future)
{
    work_future *owner = (work_future *)future;

    if (owner->release)
        owner->release(owner->job);
    vow_future_give(future);
}

static const vow_future_class work_class = { .name = "work", .cancel = work_cancel, .destroy = work_destroy };

/* On a thread of the pool. */
static void work_run(vow_offload *offload)
{
    work *work = (struct work *)offload;

    work->code = work->run(work->job, &work->error);
}

static void work_ran(vow_offload *offload, bool has_run)
{
    work          *work = (struct work *)offload;
    work_future   *owner = work->owner;
    vow_future    *future = &owner->future;
    vow_scheduler *scheduler = future->scheduler;

    owner->work = NULL;
    if (vow_future_pending(future)) {
        vow_release_fn *release = owner->release;

        if (!has_run) {
            vow_future_fail(future, vow_status_cancelled());
        } else if (work->code == VOW_OK) {
            owner->release = NULL; /* the value takes the job over */
            vow_future_succeed(future, owner->job, release);
        } else {
            work->error.code = work->code;
            vow_future_fail(future, vow_status_of_error(&work->error));
        }
    }
    vow_free(work);
    vow_future_unbusy(future);
    vow_scheduler_release(scheduler);
}

vow_future *vow_work(vow_loop *loop, vow_code (*run)(void *job, vow_error *error), void *job, vow_release_fn *release)
{
    vow_scheduler *scheduler = vow_scheduler_of(loop);
    work_future   *owner;
    work          *work;

    VOW_RULE_THREAD(scheduler);
    owner = vow_future_new(scheduler, &work_class);
    work = owner ? vow_alloc_zeroed(sizeof *work) : NULL;
    if (!owner) {
        if (release)
            release(job);
        return vow_future_no_memory(scheduler);
    }
    owner->work = NULL;
    owner->job = job;
    owner->release = release;
    VOW_MADE_HERE(&owner->future);
    if (work) {
        *work = (struct work){
            .offload = { .run = work_run, .ran = work_ran },
            .owner = owner,
            .run = run,
            .job = job,
        };
        if (vow_loop_kind_of(loop)->offload(loop, &work->offload) == VOW_OK) {
            owner->work = work;
            vow_future_is_source(&owner->future);
            vow_future_busy(&owner->future);
            vow_scheduler_hold(scheduler);
            return &owner->future;
        }
        vow_free(work);
    }
    vow_future_fail(&owner->future, vow_status_no_memory());
    return &owner->future;
}
