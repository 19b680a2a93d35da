#include "runtime/protocol/gauge.h"

#define STREAM_WINDOW_MAX ((uint64_t)4 << 20)
/* Between peers on one machine this many bytes on their way are enough, and more would delay small calls. */
#define STREAM_WINDOW_LOCAL_MAX ((uint64_t)512 << 10)
#define CONNECTION_WINDOW_MAX ((uint64_t)16 << 20)

#define PAUSE_FIRST_NS ((uint64_t)1000 * 1000)
#define PAUSE_MOST_NS ((uint64_t)10 * 1000 * 1000 * 1000)

void vow_gauge_init(vow_gauge *gauge, uint64_t stream_window, const vow_stream *stream)
{
    uint64_t most = vow_stream_is_local(stream) ? STREAM_WINDOW_LOCAL_MAX : STREAM_WINDOW_MAX;

    *gauge = (vow_gauge){ .stream_window = stream_window, .pause_ns = PAUSE_FIRST_NS };
    gauge->most = stream_window < most ? most : stream_window;
    gauge->connection_window =
        stream_window * 4 < VOW_CONNECTION_WINDOW_LEAST ? VOW_CONNECTION_WINDOW_LEAST : stream_window * 4;
}

void vow_gauge_count(vow_gauge *gauge, vow_session *session, uint64_t bytes)
{
    uint64_t now_ns;

    gauge->bytes += bytes;
    if (gauge->ping || gauge->stream_window >= gauge->most)
        return;
    now_ns = vow_scheduler_now_ns(vow_scheduler_of(session->loop));
    if (now_ns < gauge->not_before_ns)
        return;
    gauge->bytes = bytes;
    gauge->sent_ns = now_ns;
    gauge->ping = session->protocol->ping(session);
}

static void windows_grow(vow_gauge *gauge)
{
    uint64_t window = gauge->stream_window * 2 < gauge->most ? gauge->stream_window * 2 : gauge->most;

    gauge->stream_window = window;
    window *= 4;
    if (window > gauge->connection_window)
        gauge->connection_window = window < CONNECTION_WINDOW_MAX ? window : CONNECTION_WINDOW_MAX;
}

/* The shortest is forgotten slowly: the way may have become longer. */
static bool trip_sees_queue(vow_gauge *gauge, uint64_t trip_ns)
{
    gauge->shortest_ns += gauge->shortest_ns / 256;
    if (gauge->shortest_ns == 0 || trip_ns < gauge->shortest_ns)
        gauge->shortest_ns = trip_ns;
    return trip_ns > 2 * gauge->shortest_ns;
}

bool vow_gauge_hear_pong(vow_gauge *gauge, const vow_session *session, uint64_t ping)
{
    uint64_t now_ns = vow_scheduler_now_ns(vow_scheduler_of(session->loop));

    if (ping == 0 || ping != gauge->ping)
        return false;
    gauge->ping = 0;
    if (!trip_sees_queue(gauge, now_ns - gauge->sent_ns) && gauge->bytes >= gauge->stream_window / 3) {
        gauge->pause_ns = PAUSE_FIRST_NS;
        windows_grow(gauge);
    } else if (gauge->pause_ns < PAUSE_MOST_NS) {
        gauge->pause_ns *= 2;
    }
    gauge->not_before_ns = now_ns + gauge->pause_ns;
    return true;
}
