#include "tools/vow-load/plan.h"

/* A load generator is to see a server come back soon, and takes whatever it answers. */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 1000
#define REPLY_MAX ((size_t)64 << 20)

vow_channel *load_plan_channel(const load_plan *plan, vow_loop *loop)
{
    return vow_channel_open(loop, plan->target,
                            VOW_CHANNEL(.connect_timeout_ms = (int64_t)(plan->connect_ns / 1000000),
                                        .backoff_min_ms = BACKOFF_MIN_MS, .backoff_max_ms = BACKOFF_MAX_MS,
                                        .max_message_size = REPLY_MAX, .max_decoded_size = 2 * REPLY_MAX,
                                        .max_waiting_calls = plan->outstanding,
                                        .max_queued_bytes = (size_t)1 << 30, .tls = plan->tls));
}
