#include "runtime/protocol/bucket.h"

#include <string.h>

#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u

/* Half of the shortest keepalive_ms that a client has: networks bring pings closer together than they left.
 */
#define INTERVAL_WITH_CALLS_MS 5000
#define STRIKES_MAX 2

void vow_bucket_init(vow_bucket *bucket, unsigned most, unsigned per_s, uint64_t now_ns)
{
    *bucket = (vow_bucket){
        .most = (uint64_t)most * 1000, .per_ms = per_s, .tokens = (uint64_t)most * 1000, .filled_ns = now_ns
    };
}

static void bucket_refill(vow_bucket *bucket, uint64_t now_ns)
{
    uint64_t elapsed_ms = (now_ns - bucket->filled_ns) / NS_PER_MS;

    if (elapsed_ms >= bucket->most) { /* full by then, and the product could overflow */
        bucket->tokens = bucket->most;
        bucket->filled_ns = now_ns;
        return;
    }
    bucket->tokens += elapsed_ms * bucket->per_ms;
    bucket->filled_ns += elapsed_ms * NS_PER_MS;
    if (bucket->tokens > bucket->most)
        bucket->tokens = bucket->most;
}

bool vow_bucket_take(vow_bucket *bucket, unsigned count, uint64_t now_ns)
{
    uint64_t cost = (uint64_t)count * 1000;

    bucket_refill(bucket, now_ns);
    if (bucket->tokens < cost)
        return false;
    bucket->tokens -= cost;
    return true;
}

void vow_bucket_give(vow_bucket *bucket, unsigned count)
{
    bucket->tokens += (uint64_t)count * 1000;
    if (bucket->tokens > bucket->most)
        bucket->tokens = bucket->most;
}

bool vow_bucket_stop(vow_bucket *bucket, uint64_t now_ns)
{
    memmove(bucket->stops + 1, bucket->stops, sizeof bucket->stops - sizeof bucket->stops[0]);
    bucket->stops[0] = now_ns;
    return bucket->stops[2] && now_ns - bucket->stops[2] < VOW_STOPS_WITHIN_S * (uint64_t)NS_PER_S;
}

/* Pings */

int64_t vow_strikes_interval_ms(const vow_session *session)
{
    int64_t least = session->options.min_ping_interval_ms;
    bool    has_calls = session->calls.count > session->our_calls;

    return has_calls && least > INTERVAL_WITH_CALLS_MS ? INTERVAL_WITH_CALLS_MS : least;
}

bool vow_strikes_ping(vow_strikes *strikes, const vow_session *session, bool is_free)
{
    uint64_t now = vow_scheduler_now_ns(vow_scheduler_of(session->loop));
    uint64_t before = strikes->heard_ns;

    strikes->heard_ns = now;
    if (is_free)
        strikes->count = 0;
    else if (before && (now - before) / NS_PER_MS < (uint64_t)vow_strikes_interval_ms(session))
        strikes->count++;
    return strikes->count <= STRIKES_MAX;
}
