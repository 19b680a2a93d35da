#include "almanac.h"

#include "weather.vow.h"

#define HOURS (365 * 24)

static double celsius_at(int hour)
{
    return hour % 24 - 11.5; /* it is warmest before midnight, and 0 degrees on average */
}

/* The server streams: many replies, as there is room for them */

struct watch {
    const Weather__ReportRequest *request;
    int                           hour; /* the next to send */
};

static vow_future *watch_send(vow_call *call, void *arg)
{
    Weather__Report report = WEATHER__REPORT__INIT;
    struct watch   *watch = arg;

    report.city = watch->request->city;
    while (watch->hour < HOURS) {
        report.celsius = celsius_at(watch->hour++);
        if (!weather_almanac_watch_send_reply(call, &report))
            return NULL; /* this one is on its way; ask again when there is room */
    }
    vow_call_end(call);
    return NULL;
}

static void watch(vow_call *call, const Weather__ReportRequest *request, void *arg)
{
    struct watch *watching = vow_call_alloc(call, sizeof *watching);

    (void)arg;
    if (!watching)
        return; /* the call has been failed */
    watching->request = request;
    vow_call_answer(call, vow_call_write(call, watch_send, watching));
}

/* The client streams: many requests, one reply */

struct average {
    vow_call *call;
    double    sum;
    size_t    count;
};

static vow_future *average_add(vow_call *call, const Weather__Report *report, void *arg)
{
    struct average *average = arg;

    (void)call;
    average->sum += report->celsius;
    average->count++;
    return NULL; /* ready for the next */
}

static vow_future *average_reply(vow_future *end, void *arg)
{
    Weather__Report       report = WEATHER__REPORT__INIT;
    const struct average *average = arg;

    if (average->count == 0)
        return vow_failure(vow_future_loop(end), VOW_INVALID_ARGUMENT, "no reports were uploaded");
    report.celsius = average->sum / (double)average->count;
    weather_almanac_upload_reply(average->call, &report);
    return NULL;
}

static void upload(vow_call *call, void *arg)
{
    struct average *average = vow_call_alloc(call, sizeof *average);

    (void)arg;
    if (!average)
        return; /* the call has been failed */
    average->call = call;
    vow_call_answer(call, vow_then(weather_almanac_upload_read_requests(call, average_add, average),
                                   average_reply, average));
}

/* Both stream */

static vow_future *follow_one(vow_call *call, const Weather__ReportRequest *request, void *arg)
{
    Weather__Report report = WEATHER__REPORT__INIT;

    (void)arg;
    report.city = request->city;
    report.celsius = celsius_at(0);
    if (weather_almanac_follow_send_reply(call, &report))
        return NULL;
    return vow_call_when_room(call); /* before that the next city is not read */
}

static void follow(vow_call *call, void *arg)
{
    (void)arg;
    vow_call_answer(call, weather_almanac_follow_read_requests(call, follow_one, NULL));
}

void almanac_serve(vow_server *server)
{
    static const weather_almanac_service service = { .watch = watch, .upload = upload, .follow = follow };

    weather_almanac_serve(server, &service, NULL);
}

/* A relay */

/* A report has come from upstream: it is sent on, and the next is read when there is room for it. */
static vow_future *relay_report(vow_call *upstream, const Weather__Report *report, void *arg)
{
    vow_call *call = arg;

    (void)upstream;
    if (weather_almanac_watch_send_reply(call, report))
        return NULL;
    return vow_call_when_room(call);
}

static void drop_call(void *call)
{
    vow_call_drop(call);
}

static void relay_watch(vow_call *call, const Weather__ReportRequest *request, void *arg)
{
    vow_call   *upstream = weather_almanac_watch(arg, request, VOW_CALL(.parent = call));
    vow_future *relayed = weather_almanac_watch_read_replies(upstream, relay_report, call);

    vow_call_answer(call, vow_attach(relayed, upstream, drop_call));
}

void almanac_serve_relay(vow_server *server, vow_channel *upstream)
{
    static const weather_almanac_service service = { .watch = relay_watch };

    weather_almanac_serve(server, &service, upstream);
}
