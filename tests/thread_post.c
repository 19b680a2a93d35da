/* vow_loop_post: what other threads may ask of a loop. */
#include <vow/vow.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#define THREADS 4
#define POSTS   5000

static uv_loop_t uv;
static vow_loop *loop;

static int open_loop(void **state)
{
    (void)state;
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

/* Order */

typedef struct poster {
    pthread_t thread;
    unsigned  next; /* touched on the loop's thread only */
    unsigned  out_of_order;
} poster;

typedef struct post {
    poster  *poster;
    unsigned number;
} post;

static void post_arrives(void *arg)
{
    post *post = arg;

    post->poster->out_of_order += post->poster->next != post->number;
    post->poster->next = post->number + 1;
    free(post);
}

static void last_post_arrives(void *arg)
{
    post_arrives(arg);
    vow_loop_release(loop);
}

static void *poster_run(void *arg)
{
    for (unsigned i = 0; i < POSTS; i++) {
        post *post = malloc(sizeof *post);

        *post = (struct post){ arg, i };
        if (vow_loop_post(loop, i == POSTS - 1 ? last_post_arrives : post_arrives, post) != VOW_OK)
            abort();
    }
    return NULL;
}

static void posts_of_each_thread_arrive_once_and_in_order(void **state)
{
    poster posters[THREADS] = { { .next = 0 } };

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        vow_loop_hold(loop);
        assert_int_equal(pthread_create(&posters[i].thread, NULL, poster_run, &posters[i]), 0);
    }
    uv_run(&uv, UV_RUN_DEFAULT); /* until all are released */
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].next, POSTS);
        assert_int_equal(posters[i].out_of_order, 0);
    }
}

/* Keeping the loop going */

static void count_run(void *arg)
{
    unsigned *runs = arg;

    ++*runs;
}

static void a_post_keeps_uv_run_going_until_it_has_run(void **state)
{
    unsigned runs = 0;

    (void)state;
    assert_int_equal(vow_loop_post(loop, count_run, &runs), VOW_OK);
    assert_int_equal(runs, 0);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(runs, 1);
    uv_run(&uv, UV_RUN_DEFAULT); /* returns: nothing is left */
}

static void a_post_is_run_also_when_the_loop_is_closed_after_it(void **state)
{
    unsigned runs = 0;

    open_loop(state);
    assert_int_equal(vow_loop_post(loop, count_run, &runs), VOW_OK);
    assert_int_equal(close_loop(state), 0);
    assert_int_equal(runs, 1);
}

/* Promises */

typedef struct answer {
    vow_promise *promise;
    int          value;
} answer;

static void answer_resolve(void *arg)
{
    answer *answer = arg;

    vow_resolve(answer->promise, &answer->value, NULL);
    vow_loop_release(loop);
}

static void *answer_find(void *arg)
{
    answer *answer = arg;

    answer->value = 42;
    if (vow_loop_post(loop, answer_resolve, answer) != VOW_OK)
        abort();
    return NULL;
}

static void another_thread_resolves_a_promise_by_a_post(void **state)
{
    answer      answer = { .value = 0 };
    vow_future *future = vow_promise_new(loop, &answer.promise);
    pthread_t   thread;

    (void)state;
    vow_loop_hold(loop);
    assert_int_equal(pthread_create(&thread, NULL, answer_find, &answer), 0);
    assert_int_equal(vow_wait(future), VOW_OK);
    assert_int_equal(*(int *)vow_future_value(future), 42);
    vow_drop(future);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(posts_of_each_thread_arrive_once_and_in_order, open_loop, close_loop),
        cmocka_unit_test_setup_teardown(a_post_keeps_uv_run_going_until_it_has_run, open_loop, close_loop),
        cmocka_unit_test(a_post_is_run_also_when_the_loop_is_closed_after_it),
        cmocka_unit_test_setup_teardown(another_thread_resolves_a_promise_by_a_post, open_loop, close_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
