#include "clock.h"

#include "fail.h"

static void stamp_forget(uv_prepare_t *before_poll)
{
    bench_stamp *stamp = before_poll->data;

    stamp->heard = NULL;
}

void bench_stamp_start(bench_stamp *stamp, size_t answers_most)
{
    *stamp = (bench_stamp){ .answers_most = answers_most };
    stamp->before_poll.data = stamp;
    bench_must(uv_prepare_init(uv_default_loop(), &stamp->before_poll), "make a handle");
    bench_must(uv_prepare_start(&stamp->before_poll, stamp_forget), "start a handle");
    uv_unref((uv_handle_t *)&stamp->before_poll);
}

void bench_stamp_stop(bench_stamp *stamp)
{
    uv_close((uv_handle_t *)&stamp->before_poll, NULL);
}

static void moments_come(uv_poll_t *timer, int status, int events)
{
    const bench_moments *moments = timer->data;

    (void)events;
    bench_must(status, "wait for the timer");
    bench_load_timer_clear(moments->descriptor);
    moments->due(moments->arg);
}

void bench_moments_start(bench_moments *moments, const bench_load *load, bench_due_fn *due, void *arg)
{
    moments->descriptor = bench_load_timer_open(load);
    moments->due = due;
    moments->arg = arg;
    if (moments->descriptor < 0)
        return;
    moments->timer.data = moments;
    bench_must(uv_poll_init(uv_default_loop(), &moments->timer, moments->descriptor), "watch the timer");
    bench_must(uv_poll_start(&moments->timer, UV_READABLE, moments_come), "watch the timer");
}

void bench_moments_stop(bench_moments *moments)
{
    if (moments->descriptor >= 0)
        uv_close((uv_handle_t *)&moments->timer, NULL);
}
