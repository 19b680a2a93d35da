/* vow_work: jobs in libuv's thread pool, and what becomes of them when nobody waits any more. */
#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#define JOBS 1000
#define POOL 4 /* libuv's threads, unless UV_THREADPOOL_SIZE says otherwise */

static uv_loop_t   uv;
static vow_loop   *loop;
static atomic_uint running;
static unsigned    released; /* on the loop's thread only */
static sem_t       gate;     /* what jobs that block wait for */
static sem_t       begun;

static int open_loop(void **state)
{
    (void)state;
    released = 0;
    atomic_store(&running, 0);
    sem_init(&gate, 0, 0);
    sem_init(&begun, 0, 0);
    uv_loop_init(&uv);
    loop = vow_loop_attach(&uv);
    return loop ? 0 : -1;
}

static int close_loop(void **state)
{
    (void)state;
    vow_loop_close(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    return uv_loop_close(&uv);
}

static void count_release(void *object)
{
    (void)object;
    released++;
}

static vow_code square(void *job, vow_error *error)
{
    unsigned *number = job;

    (void)error;
    *number *= *number;
    return VOW_OK;
}

static vow_code block(void *job, vow_error *error)
{
    (void)job;
    (void)error;
    atomic_fetch_add(&running, 1);
    sem_post(&begun);
    sem_wait(&gate);
    atomic_fetch_sub(&running, 1);
    return VOW_OK;
}

static vow_code be_missing(void *job, vow_error *error)
{
    return vow_error_set(error, VOW_NOT_FOUND, "no %s", (const char *)job);
}

/* Results */

static void many_jobs_each_give_their_own_value(void **state)
{
    static unsigned    numbers[JOBS];
    static vow_future *futures[JOBS];

    (void)state;
    for (unsigned i = 0; i < JOBS; i++) {
        numbers[i] = i;
        futures[i] = vow_work(loop, square, &numbers[i], count_release);
    }
    for (unsigned i = 0; i < JOBS; i++) {
        assert_int_equal(vow_wait(futures[i]), VOW_OK);
        assert_int_equal(*(unsigned *)vow_future_value(futures[i]), i * i);
        vow_drop(futures[i]);
    }
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(released, JOBS);
}

static void a_job_fails_with_what_it_says(void **state)
{
    vow_future *future = vow_work(loop, be_missing, (void *)(uintptr_t) "city", NULL);

    (void)state;
    assert_int_equal(vow_wait(future), VOW_NOT_FOUND);
    assert_string_equal(vow_future_message(future), "no city");
    vow_drop(future);
}

/* Cancellation */

/* Keeps all threads of the pool busy until pool_free. */
static void pool_fill(vow_future *blocked[POOL])
{
    for (int i = 0; i < POOL; i++)
        blocked[i] = vow_work(loop, block, NULL, NULL);
    for (int i = 0; i < POOL; i++)
        sem_wait(&begun);
}

static void pool_free(void)
{
    for (int i = 0; i < POOL; i++)
        sem_post(&gate);
}

static void a_job_that_was_cancelled_before_it_began_does_not_run(void **state)
{
    vow_future *blocked[POOL];
    unsigned    number = 7;
    vow_future *waiting;

    (void)state;
    pool_fill(blocked);
    waiting = vow_work(loop, square, &number, count_release);
    vow_cancel(waiting);
    assert_int_equal(vow_future_code(waiting), VOW_CANCELLED);
    vow_drop(waiting);
    pool_free();
    for (int i = 0; i < POOL; i++) {
        assert_int_equal(vow_wait(blocked[i]), VOW_OK);
        vow_drop(blocked[i]);
    }
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(number, 7);
    assert_int_equal(released, 1);
}

static void count_release_when_none_runs(void *object)
{
    (void)object;
    assert_int_equal(atomic_load(&running), 0);
    released++;
}

static void what_is_attached_to_a_job_outlives_its_thread(void **state)
{
    int         object;
    vow_future *future = vow_attach(vow_work(loop, block, NULL, count_release_when_none_runs), &object,
                                    count_release_when_none_runs);

    (void)state;
    sem_wait(&begun);
    vow_cancel(future);
    assert_int_equal(vow_future_code(future), VOW_CANCELLED);
    vow_drop(future);
    uv_run(&uv, UV_RUN_NOWAIT);
    assert_int_equal(released, 0);
    sem_post(&gate);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(released, 2);
}

static void note_code(vow_future *settled, void *arg)
{
    vow_code *code = arg;

    *code = vow_future_code(settled);
}

static void a_loop_that_is_closed_waits_for_jobs_that_run(void **state)
{
    vow_code    codes[2] = { VOW_UNKNOWN, VOW_UNKNOWN };
    vow_future *blocked[POOL];
    unsigned    number = 7;

    open_loop(state);
    pool_fill(blocked);
    for (int i = 1; i < POOL; i++)
        vow_drop(blocked[i]);
    vow_done(blocked[0], note_code, &codes[0]);
    vow_done(vow_work(loop, square, &number, count_release), note_code, &codes[1]);
    vow_loop_close(loop);
    pool_free();
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(codes[0], VOW_CANCELLED);
    assert_int_equal(codes[1], VOW_CANCELLED);
    assert_int_equal(number, 7);
    assert_int_equal(released, 1);
    assert_int_equal(atomic_load(&running), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
}

#define ON_LOOP(test) cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LOOP(many_jobs_each_give_their_own_value),
        ON_LOOP(a_job_fails_with_what_it_says),
        ON_LOOP(a_job_that_was_cancelled_before_it_began_does_not_run),
        ON_LOOP(what_is_attached_to_a_job_outlives_its_thread),
        cmocka_unit_test(a_loop_that_is_closed_waits_for_jobs_that_run),
    };

    setenv("UV_THREADPOOL_SIZE", "4", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
