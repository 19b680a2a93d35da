#include "station.h"

#include "weather.vow.h"

#include <string.h>

struct instrument {
    const char *city;
    double      celsius;
    int64_t     takes_ms; /* to read it */
};

static const struct instrument instruments[] = {
    { "Tromso", -4.5, 0 },
    { "Nairobi", 21.0, 0 },
    { "Lima", 18.5, 300 },
};

static const struct instrument *instrument_find(const char *city)
{
    for (size_t i = 0; i < sizeof instruments / sizeof instruments[0]; i++) {
        if (strcmp(instruments[i].city, city) == 0)
            return &instruments[i];
    }
    return NULL;
}

/* A reading that takes time. It lies in the memory of its call. */
struct reading {
    vow_call                     *call;
    const Weather__ReportRequest *request;
    const struct instrument      *instrument;
};

static void answer(vow_call *call, const Weather__ReportRequest *request, const struct instrument *instrument)
{
    Weather__Report report = WEATHER__REPORT__INIT;

    report.city = request->city;
    report.celsius = instrument->celsius;
    weather_station_get_report_reply(call, &report);
}

static vow_future *reading_taken(vow_future *slept, void *arg)
{
    const struct reading *reading = arg;

    (void)slept;
    answer(reading->call, reading->request, reading->instrument);
    return NULL;
}

/* Runs once for each reading, whether it was taken or abandoned. */
static void reading_over(vow_future *slept, void *arg)
{
    struct station *station = arg;

    (void)slept;
    station->readings--;
}

static void station_take_reading(struct station *station, vow_call *call,
                                 const Weather__ReportRequest *request, const struct instrument *instrument)
{
    struct reading *taking = vow_call_alloc(call, sizeof *taking);
    vow_future     *wait;

    if (!taking)
        return; /* the call has been failed */
    *taking = (struct reading){ call, request, instrument };
    station->readings++;
    wait = vow_finally(vow_sleep(vow_call_loop(call), instrument->takes_ms), reading_over, station);
    vow_call_answer(call, vow_then(wait, reading_taken, taking));
}

static void get_report(vow_call *call, const Weather__ReportRequest *request, void *arg)
{
    const struct instrument *instrument = instrument_find(request->city);

    if (!instrument)
        vow_call_fail(call, VOW_NOT_FOUND, "no instrument stands in %s", request->city);
    else if (instrument->takes_ms == 0)
        answer(call, request, instrument);
    else
        station_take_reading(arg, call, request, instrument);
}

void station_serve(struct station *station, vow_server *server)
{
    static const weather_station_service service = { .get_report = get_report };

    weather_station_serve(server, &service, station);
}
