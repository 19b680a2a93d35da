/* Cases that go on for a while: the same large call again and again, on one channel or each on a new one. */
#include "interop/run.h"

#include <stdio.h>

#define NS_PER_MS 1000000u
#define MS_PER_S 1000u

/* One call. Gives what it took, or -1: it has failed. */
static int64_t soak_once(interop_run *run, bool is_new)
{
    uint64_t     began = vow_loop_now_ns(run->loop);
    vow_channel *channel = is_new ? interop_open(run) : run->channel;
    bool         is_right =
        interop_large_unary(run, channel, VOW_CALL(.timeout_ms = INTEROP_TIMEOUT_MS, .wait_for_ready = true));

    if (is_new)
        vow_channel_close(channel);
    return is_right ? (int64_t)((vow_loop_now_ns(run->loop) - began) / NS_PER_MS) : -1;
}

static bool soak(interop_run *run, bool is_new)
{
    const interop_settings *settings = run->settings;
    uint64_t end = vow_loop_now_ns(run->loop) + (uint64_t)settings->soak_timeout_s * MS_PER_S * NS_PER_MS;
    int      failures = 0;
    int      done = 0;
    int64_t  slowest = 0;

    for (; done < settings->soak_iterations && vow_loop_now_ns(run->loop) < end; done++) {
        int64_t took = soak_once(run, is_new);

        if (took > slowest)
            slowest = took;
        if (took > settings->soak_latency_ms)
            interop_fail(run, "a call took %d ms", (int)took);
        failures += took < 0 || took > settings->soak_latency_ms;
    }
    printf("%d calls, %d failures, the slowest took %d ms\n", done, failures, (int)slowest);
    if (done < settings->soak_iterations)
        return interop_fail(run, "%d of %d calls were made within %d s", done, settings->soak_iterations,
                            settings->soak_timeout_s);
    return failures <= settings->soak_max_failures;
}

bool interop_rpc_soak(interop_run *run)
{
    return soak(run, false);
}

bool interop_channel_soak(interop_run *run)
{
    return soak(run, true);
}
