#include "tools/vow-load/pacer.h"

#include "tools/vow-load/buffer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct load_pacer {
    uv_poll_t poll;
    uv_idle_t idle; /* keeps the loop from sleeping while the pacer spins */
    int       file;
    int       open_handles;
    bool      spins;
    uint64_t  moment_ns; /* that is waited for */
    void (*wake)(void *arg);
    void *arg;
};

static void pacer_spin(uv_idle_t *idle)
{
    load_pacer *pacer = idle->data;

    if (uv_hrtime() < pacer->moment_ns)
        return;
    uv_idle_stop(idle);
    pacer->wake(pacer->arg);
}

static void pacer_ready(uv_poll_t *poll, int status, int events)
{
    load_pacer *pacer = poll->data;
    uint64_t    times;

    (void)status;
    (void)events;
    /* It may have been set anew since; then there is nothing to read, and it will come. */
    if (read(pacer->file, &times, sizeof times) != sizeof times)
        return;
    if (pacer->spins)
        uv_idle_start(&pacer->idle, pacer_spin);
    else
        pacer->wake(pacer->arg);
}

load_pacer *load_pacer_open(uv_loop_t *loop, bool spins, void (*wake)(void *arg), void *arg,
                            load_problem *problem)
{
    load_pacer *pacer = load_alloc(1, sizeof *pacer);

    pacer->spins = spins;
    pacer->wake = wake;
    pacer->arg = arg;
    pacer->file = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (pacer->file >= 0 && uv_poll_init(loop, &pacer->poll, pacer->file) == 0) {
        pacer->poll.data = pacer;
        uv_poll_start(&pacer->poll, UV_READABLE, pacer_ready);
        uv_idle_init(loop, &pacer->idle);
        pacer->idle.data = pacer;
        pacer->open_handles = 2;
        return pacer;
    }
    load_problem_set(problem, "cannot make a timer: %s", strerror(errno));
    if (pacer->file >= 0)
        close(pacer->file);
    free(pacer);
    return NULL;
}

static void pacer_closed(uv_handle_t *handle)
{
    load_pacer *pacer = handle->data;

    if (--pacer->open_handles > 0)
        return;
    close(pacer->file);
    free(pacer);
}

void load_pacer_close(load_pacer *pacer)
{
    if (!pacer)
        return;
    uv_close((uv_handle_t *)&pacer->poll, pacer_closed);
    uv_close((uv_handle_t *)&pacer->idle, pacer_closed);
}

uint64_t load_pacer_now_ns(void *pacer)
{
    (void)pacer;
    return uv_hrtime();
}

void load_pacer_wake_at(void *arg, uint64_t moment_ns)
{
    load_pacer *pacer = arg;
    uint64_t    sleep_ns = pacer->spins && moment_ns > LOAD_SPIN_NS ? moment_ns - LOAD_SPIN_NS : moment_ns;
    struct itimerspec when = {
        .it_value = { (time_t)(sleep_ns / 1000000000u), (long)(sleep_ns % 1000000000u) },
    };

    pacer->moment_ns = moment_ns;
    if (pacer->spins && uv_hrtime() >= sleep_ns) {
        uv_idle_start(&pacer->idle, pacer_spin);
        return;
    }
    uv_idle_stop(&pacer->idle);
    if (sleep_ns == 0)
        when.it_value.tv_nsec = 1; /* all zero would switch it off */
    timerfd_settime(pacer->file, TFD_TIMER_ABSTIME, &when, NULL);
}
