/*
 * What a program can do wrong, in a child process each: a debug build stops it with a message that names the
 * function, the rule and the place where the future was made; a release build goes on as well as it can.
 */
#include "calls.vow.h"
#include "runtime/base/sanitizer.h"
#include "tests/support/futures.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vow/testing.h>

typedef void misuse_fn(struct stage *stage);

/* What is left of the child: how it ended, and what it said. */
struct child {
    int  status;
    char said[8192];
};

static void child_main(misuse_fn *misuse, int out)
{
    const struct rlimit no_core = { 0, 0 };
    struct stage       *stage = stage_new(true);

    setrlimit(RLIMIT_CORE, &no_core);
    dup2(out, STDERR_FILENO);
    misuse(stage);
    _exit(0);
}

static struct child child_run(misuse_fn *misuse)
{
    struct child child = { 0 };
    size_t       size = 0;
    ssize_t      got;
    int          ends[2];
    pid_t        pid;

    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child_main(misuse, ends[1]);
    close(ends[1]);
    while (size < sizeof child.said - 1 &&
           (got = read(ends[0], child.said + size, sizeof child.said - 1 - size)) > 0)
        size += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(pid, &child.status, 0), pid);
    return child;
}

static inline void assert_said(const struct child *child, const char *part)
{
    if (!strstr(child->said, part))
        fail_msg("no \"%s\" in: %s", part, child->said);
}

#ifdef VOW_DEBUG

static void assert_stopped(misuse_fn *misuse, const char *function, const char *rule, const char *made_in)
{
    struct child child = child_run(misuse);

    if (!WIFSIGNALED(child.status) || WTERMSIG(child.status) != SIGABRT)
        fail_msg("it did not stop, but ended with %d: %s", child.status, child.said);
    assert_said(&child, function);
    assert_said(&child, rule);
    assert_said(&child, made_in);
}

#else

static void assert_stopped(misuse_fn *misuse, const char *function, const char *rule, const char *made_in)
{
    struct child child = child_run(misuse);

    (void)function;
    (void)rule;
    (void)made_in;
    if (child.status != 0)
        fail_msg("a release build does not stop, but this ended with %d: %s", child.status, child.said);
}

#endif

/* The future's memory has gone back to a pool: a release build can't tell, and reads what is left there. */
static void assert_stopped_as_dead(misuse_fn *misuse, const char *function)
{
#if defined(VOW_ADDRESS_SANITIZER)
    struct child child = child_run(misuse);

    (void)function;
    assert_int_not_equal(child.status, 0);
    assert_said(&child, "use-after-poison"); /* it sees that before vow does */
#elif defined(VOW_DEBUG)
    assert_stopped(misuse, function, "the future has ended", "; it was made in /");
#else
    (void)misuse;
    (void)function;
#endif
}

/* Promises. */

#define SETTLED_ONCE ": rule broken: a promise is resolved or rejected once"

static void resolve_twice(struct stage *stage)
{
    vow_promise *promise;
    vow_future  *future = stage_promise(stage, &promise);

    vow_resolve(promise, NULL, NULL);
    vow_resolve(promise, NULL, NULL);
    vow_drop(future);
}

static void reject_what_was_resolved(struct stage *stage)
{
    vow_promise *promise;
    vow_future  *future = stage_promise(stage, &promise);

    vow_resolve(promise, NULL, NULL);
    vow_reject(promise, VOW_ABORTED, "no");
    vow_drop(future);
}

static void ask_a_promise_that_was_resolved(struct stage *stage)
{
    vow_promise *promise;
    vow_future  *future = stage_promise(stage, &promise);

    vow_resolve(promise, NULL, NULL);
    vow_promise_wanted(promise);
    vow_drop(future);
}

static void resolve_twice_when_nobody_waits(struct stage *stage)
{
    vow_promise *promise;

    vow_drop(stage_promise(stage, &promise));
    vow_resolve(promise, NULL, NULL);
    vow_reject(promise, VOW_ABORTED, "no");
}

static void a_promise_is_settled_once(void **state)
{
    (void)state;
    assert_stopped(resolve_twice, "vow_resolve", SETTLED_ONCE, "; it was made in /");
    assert_stopped(reject_what_was_resolved, "vow_reject", SETTLED_ONCE, "; it was made in /");
    assert_stopped(ask_a_promise_that_was_resolved, "vow_promise_wanted", SETTLED_ONCE, "; it was made in /");
    assert_stopped_as_dead(resolve_twice_when_nobody_waits, "vow_reject");
}

/* Handles. */

#define USED_ONCE ": rule broken: a handle of a future is used once"
#define MADE_HERE "; it was made in /"

static void drop_twice(struct stage *stage)
{
    vow_future *future = vow_value(stage->loop, NULL, NULL);

    vow_drop(future);
    vow_drop(future);
}

static void drop_twice_with_another_in_between(struct stage *stage)
{
    vow_future *future = vow_value(stage->loop, NULL, NULL);
    vow_future *other;

    vow_drop(future);
    other = vow_value(stage->loop, NULL, NULL);
    vow_drop(future);
    vow_drop(other);
}

static void cancel_what_was_dropped(struct stage *stage)
{
    vow_future *future = vow_value(stage->loop, NULL, NULL);

    vow_drop(future);
    vow_cancel(future);
}

static void a_handle_is_not_used_after_the_future_has_ended(void **state)
{
    (void)state;
    assert_stopped_as_dead(drop_twice, "vow_drop");
    assert_stopped_as_dead(drop_twice_with_another_in_between, "vow_drop");
    assert_stopped_as_dead(cancel_what_was_dropped, "vow_cancel");
}

static void wait_for_a_handle_twice(struct stage *stage)
{
    vow_promise *promise;
    vow_future  *future = stage_promise(stage, &promise);

    vow_done(future, diary_done, word("a"));
    vow_done(future, diary_done, word("b"));
    vow_resolve(promise, NULL, NULL);
    stage_run(stage);
}

static void chain_a_handle_twice(struct stage *stage)
{
    vow_future *sleep = vow_sleep(stage->loop, 10);
    vow_future *first = vow_then(sleep, diary_then, word("a"));
    vow_future *second = vow_timeout(sleep, 100);

    stage_advance_ms(stage, 10);
    vow_drop(first);
    vow_drop(second);
}

static void read_a_handle_that_was_taken(struct stage *stage)
{
    vow_future *sleep = vow_sleep(stage->loop, 10);
    vow_future *result = vow_shield(sleep);

    vow_future_settled(sleep);
    vow_drop(result);
}

static void drop_what_is_lent(vow_future *settled, void *arg)
{
    (void)arg;
    vow_drop(settled);
}

static void drop_what_is_only_lent(struct stage *stage)
{
    vow_done(vow_value(stage->loop, NULL, NULL), drop_what_is_lent, NULL);
    stage_run(stage);
}

static void a_handle_is_used_once(void **state)
{
    (void)state;
    assert_stopped(wait_for_a_handle_twice, "vow_done", USED_ONCE, MADE_HERE);
    assert_stopped(chain_a_handle_twice, "vow_timeout", USED_ONCE, MADE_HERE);
    assert_stopped(drop_what_is_only_lent, "vow_drop", USED_ONCE, MADE_HERE);
    assert_stopped(read_a_handle_that_was_taken, "vow_future_settled",
                   ": rule broken: only a future whose handle you hold", MADE_HERE);
}

/* Functions that give futures. */

static vow_future *give_what_is_lent(vow_future *settled, void *arg)
{
    (void)arg;
    return settled;
}

static void pass_on_what_is_lent(struct stage *stage)
{
    vow_future *result = vow_then(vow_value(stage->loop, NULL, NULL), give_what_is_lent, NULL);

    stage_run(stage);
    vow_drop(result);
}

static vow_future *give_stored(vow_future *settled, void *arg)
{
    vow_future **stored = arg;

    (void)settled;
    return *stored;
}

static void give_the_result_itself(struct stage *stage)
{
    vow_future *result = vow_then(vow_value(stage->loop, NULL, NULL), give_stored, &result);

    stage_run(stage);
}

static vow_future *start_with_what_is_taken(size_t index, void *arg)
{
    vow_future **stored = arg;

    (void)index;
    return *stored;
}

static void start_the_same_twice(struct stage *stage)
{
    vow_future *sleep = vow_sleep(stage->loop, 10);
    vow_future *each = vow_each(stage->loop, 2, 0, start_with_what_is_taken, &sleep);

    stage_run(stage);
    vow_drop(each);
}

static void a_function_gives_a_handle_of_its_own(void **state)
{
    (void)state;
    assert_stopped(pass_on_what_is_lent, "vow_then", "`return vow_future_ref(settled);`", MADE_HERE);
    assert_stopped(start_the_same_twice, "vow_each", "the function that starts gives a handle of its own",
                   MADE_HERE);
#ifdef VOW_DEBUG
    assert_stopped(give_the_result_itself, "vow_then",
                   "a function must not give the future that waits for it", MADE_HERE);
#else
    (void)give_the_result_itself;
#endif
}

/* Threads. */

static void *drop_elsewhere(void *future)
{
    vow_drop(future);
    return NULL;
}

static void *make_elsewhere(void *loop)
{
    vow_drop(vow_value(loop, NULL, NULL));
    return NULL;
}

static void *read_elsewhere(void *future)
{
    vow_future_code(future);
    return NULL;
}

static void on_another_thread(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;

    pthread_create(&thread, NULL, run, arg);
    pthread_join(thread, NULL);
}

static void drop_on_another_thread(struct stage *stage)
{
    on_another_thread(drop_elsewhere, vow_value(stage->loop, NULL, NULL));
}

static void make_on_another_thread(struct stage *stage)
{
    on_another_thread(make_elsewhere, stage->loop);
}

static void read_on_another_thread(struct stage *stage)
{
    on_another_thread(read_elsewhere, vow_value(stage->loop, NULL, NULL));
}

static void a_future_is_touched_on_its_loops_thread(void **state)
{
    (void)state;
    assert_stopped(drop_on_another_thread, "vow_drop", "on its loop's own thread; see vow_loop_post",
                   MADE_HERE);
    assert_stopped(read_on_another_thread, "vow_future_code", "on its loop's own thread; see vow_loop_post",
                   MADE_HERE);
    assert_stopped(make_on_another_thread, "vow_value", "on the loop's own thread; see vow_loop_post", "");
}

/* Loops. */

static void close_a_loop_twice(struct stage *stage)
{
    vow_future *held = vow_value(stage->loop, NULL, NULL); /* so that it is still there */

    vow_loop_close(stage->loop);
    vow_loop_close(stage->loop);
    vow_drop(held);
}

static void release_a_loop_that_is_not_held(struct stage *stage)
{
    vow_loop_release(stage->loop);
}

static void a_loop_is_closed_once_and_released_as_often_as_it_was_held(void **state)
{
    (void)state;
    assert_stopped(close_a_loop_twice, "vow_loop_close", "a loop is closed once", "");
#ifdef VOW_DEBUG
    assert_stopped(release_a_loop_that_is_not_held, "vow_loop_release", "there is none left", "");
#else
    (void)release_a_loop_that_is_not_held;
#endif
}

/* Calls. */

static void drop_call_and_reply(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    (void)handler;
    vow_call_drop(call);
    vow_call_reply(call, request);
}

static void drop_a_handlers_call(struct stage *stage)
{
    const vow_handler handler = { sizeof handler, &calls_calls_echo_method, drop_call_and_reply, NULL, NULL };
    vow_server       *server = vow_server_open(stage->loop, NULL);
    vow_channel      *channel = vow_channel_open_to(stage->loop, server, NULL);
    Calls__Text       text = CALLS__TEXT__INIT;
    vow_future       *reply;

    vow_server_handle(server, &handler);
    reply = calls_calls_echo(channel, &text, NULL);
    if (vow_wait(reply) != VOW_OK)
        abort();
    vow_drop(reply);
}

static void drop_a_call_twice(struct stage *stage)
{
    vow_channel *channel = vow_channel_open(stage->loop, "memory://nobody", NULL);
    vow_call    *call = vow_call_start(channel, &calls_calls_echo_method, NULL);

    vow_call_drop(call);
    vow_call_drop(call);
}

static void a_call_is_dropped_once_and_by_its_caller(void **state)
{
    (void)state;
    assert_stopped(drop_a_handlers_call, "vow_call_drop", ": rule broken: this is for callers", "");
    assert_stopped_as_dead(drop_a_call_twice, "vow_call_drop");
}

/* What nobody ever used. */

static unsigned reports;

static void keep_report(const char *text, void *arg)
{
    reports++;
    strncpy(arg, text, 511);
}

static void a_future_that_nobody_ever_used_is_reported_when_the_loop_closes(void **state)
{
    struct stage *stage = stage_new(true);
    char          said[512] = "";
    vow_future   *lost = vow_sleep(stage->loop, 10);
    vow_future   *used = vow_then(vow_sleep(stage->loop, 10), diary_then, word("x"));

    (void)state;
    reports = 0;
    vow_report_set(keep_report, said);
    vow_done(vow_future_ref(used), diary_done, word("y"));
    stage_close_loop(stage);
    vow_report_set(NULL, NULL);
#ifdef VOW_DEBUG
    assert_int_equal(reports, 1);
    assert_non_null(strstr(said, "a future (sleep), made in /"));
    assert_non_null(strstr(said, "was never waited for, dropped, cancelled or detached"));
#else
    assert_int_equal(reports, 0);
#endif
    vow_drop(lost);
    vow_drop(used);
    diary_read();
    stage_free(stage);
}

/* Its owner may be told of the end first, and drop it after that. */
static void a_stream_that_somebody_reads_is_not_reported_when_the_loop_closes(void **state)
{
    struct stage *stage = stage_new(true);
    char          said[512] = "";
    vow_channel  *channel = vow_channel_open(stage->loop, "memory://nobody", NULL);
    vow_call     *unread = vow_call_start(channel, &calls_calls_echo_method, NULL);
    vow_call     *read = vow_call_start(channel, &calls_calls_echo_method, NULL);

    (void)state;
    reports = 0;
    vow_report_set(keep_report, said);
    vow_drop(vow_call_next(read));
    stage_close_loop(stage);
    vow_report_set(NULL, NULL);
#ifdef VOW_DEBUG
    assert_int_equal(reports, 1);
    assert_non_null(strstr(said, "a future (call), made in /"));
#else
    assert_int_equal(reports, 0);
#endif
    vow_call_drop(unread);
    vow_call_drop(read);
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promise_is_settled_once),
        cmocka_unit_test(a_handle_is_not_used_after_the_future_has_ended),
        cmocka_unit_test(a_handle_is_used_once),
        cmocka_unit_test(a_function_gives_a_handle_of_its_own),
        cmocka_unit_test(a_future_is_touched_on_its_loops_thread),
        cmocka_unit_test(a_loop_is_closed_once_and_released_as_often_as_it_was_held),
        cmocka_unit_test(a_call_is_dropped_once_and_by_its_caller),
        cmocka_unit_test(a_future_that_nobody_ever_used_is_reported_when_the_loop_closes),
        cmocka_unit_test(a_stream_that_somebody_reads_is_not_reported_when_the_loop_closes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
