/* tutorial-simulated [SEED]: the weather station on a simulated clock and network. */
#include "station.h"
#include "weather.vow.h"

#include <stdio.h>
#include <stdlib.h>

#define ADDRESS "tcp://station:7000"

static int failures;

static void expect(bool held, const char *claim)
{
    printf("%s: %s\n", held ? "ok" : "FAILED", claim);
    failures += !held;
}

struct world {
    vow_loop      *loop;
    struct station station;
    vow_server    *server;
    vow_channel   *channel;
};

static bool world_open(struct world *world, uint64_t seed)
{
    *world = (struct world){ .loop = vow_loop_simulated(seed) };
    if (!world->loop)
        return false;
    world->server = vow_server_open(world->loop, NULL);
    station_serve(&world->station, world->server);
    world->channel = vow_channel_open(world->loop, ADDRESS, NULL);
    return vow_server_listen(world->server, ADDRESS, NULL) == VOW_OK;
}

static vow_future *world_ask(struct world *world, char *city, int64_t timeout_ms)
{
    Weather__ReportRequest request = WEATHER__REPORT_REQUEST__INIT;

    request.city = city;
    return weather_station_get_report(world->channel, &request, VOW_CALL(.timeout_ms = timeout_ms));
}

static void a_call_fails_once_its_deadline_has_passed(struct world *world)
{
    static char lima[] = "Lima";
    vow_future *report = world_ask(world, lima, 200);

    vow_loop_advance(world->loop, 199);
    expect(!vow_future_settled(report), "a call waits while it has time");
    expect(world->station.readings == 1, "its reading is being taken");
    vow_loop_advance(world->loop, 1);
    expect(vow_future_code(report) == VOW_DEADLINE_EXCEEDED, "a call fails once its deadline has passed");
    vow_loop_advance(world->loop, 1000);
    expect(world->station.readings == 0, "its reading is abandoned");
    vow_drop(report);
}

static void a_slow_reading_is_answered(struct world *world)
{
    static char            lima[] = "Lima";
    vow_future            *reply = world_ask(world, lima, 10000);
    const Weather__Report *report;

    expect(vow_wait(reply) == VOW_OK, "a slow reading is answered");
    report = weather_station_get_report_result(reply);
    expect(report && report->celsius > 18, "the answer is the reading");
    vow_drop(reply);
}

int main(int argc, char **argv)
{
    uint64_t     seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    struct world world;

    if (!world_open(&world, seed))
        return 2;
    a_call_fails_once_its_deadline_has_passed(&world);
    a_slow_reading_is_answered(&world);
    vow_loop_close(world.loop);
    if (failures)
        printf("seed %llu\n", (unsigned long long)seed);
    return failures > 0;
}
