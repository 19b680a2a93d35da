/* tutorial-scripted: a program that asks the weather station, tested without one. */
#include "weather.vow.h"

#include <stdio.h>
#include <vow/testing.h>
#include <vow/vow.h>

static int failures;

static void expect(bool held, const char *claim)
{
    printf("%s: %s\n", held ? "ok" : "FAILED", claim);
    failures += !held;
}

/* The code under test: asks up to three times */

static vow_future *ask_once(size_t attempt, void *arg)
{
    static char            lima[] = "Lima";
    Weather__ReportRequest request = WEATHER__REPORT_REQUEST__INIT;

    (void)attempt;
    request.city = lima;
    return weather_station_get_report(arg, &request, VOW_CALL(.timeout_ms = 1000));
}

static vow_future *ask_patiently(vow_channel *channel)
{
    return vow_retry(vow_channel_loop(channel), 3, 100, ask_once, channel);
}

/* Its tests */

static void a_station_that_is_down_twice_is_asked_again(vow_loop *loop)
{
    const vow_method *method = &weather_station_get_report_method;
    vow_script       *station = vow_script_open(loop);
    vow_channel      *channel = vow_channel_open_to(loop, vow_script_server(station), NULL);
    Weather__Report   report = WEATHER__REPORT__INIT;
    vow_future       *reply;

    report.celsius = 21;
    vow_script_add(station, method, VOW_STEP(.code = VOW_UNAVAILABLE, .message = "closed for lunch"));
    vow_script_add(station, method, VOW_STEP(.code = VOW_UNAVAILABLE, .delay_ms = 200));
    vow_script_add(station, method, VOW_STEP(.reply = &report.base));

    reply = ask_patiently(channel);
    expect(vow_wait(reply) == VOW_OK, "a station that is down twice is asked again");
    expect(weather_station_get_report_result(reply)->celsius == 21, "its report arrives");
    expect(vow_script_played(station), "it was asked three times, and no more");

    vow_drop(reply);
    vow_channel_close(channel);
    vow_script_close(station);
}

static void a_station_that_hangs_is_given_up(vow_loop *loop)
{
    vow_script  *station = vow_script_open(loop);
    vow_channel *channel = vow_channel_open_to(loop, vow_script_server(station), NULL);
    vow_future  *reply;

    vow_script_add(station, &weather_station_get_report_method, VOW_STEP(.stalls = true));
    reply = ask_patiently(channel);
    vow_loop_advance(loop, 999);
    expect(!vow_future_settled(reply), "a station that hangs has a second");
    vow_loop_advance(loop, 1);
    expect(vow_future_code(reply) == VOW_DEADLINE_EXCEEDED, "and is given up, not asked again");

    vow_drop(reply);
    vow_channel_close(channel);
    vow_script_close(station);
}

static void an_answer_that_is_lost_is_asked_for_again(vow_loop *loop)
{
    const vow_method *method = &weather_station_get_report_method;
    vow_script       *station = vow_script_open(loop);
    vow_channel      *channel = vow_channel_open_to(loop, vow_script_server(station), NULL);
    vow_faults       *faults = vow_faults_new(channel, 1);
    vow_future       *reply;

    vow_script_add(station, method, VOW_STEP(.times = VOW_ALWAYS));
    vow_faults_add(faults, VOW_FAULT(.loses_answer = true, .times = 1));
    reply = ask_patiently(channel);
    expect(vow_wait(reply) == VOW_OK, "an answer that is lost is asked for again");
    expect(vow_script_count(station, method) == 2, "so the station has worked twice");

    vow_drop(reply);
    vow_channel_close(channel);
    vow_faults_free(faults);
    vow_script_close(station);
}

int main(void)
{
    vow_loop *loop = vow_loop_simulated(1);

    if (!loop)
        return 2;
    a_station_that_is_down_twice_is_asked_again(loop);
    a_station_that_hangs_is_given_up(loop);
    an_answer_that_is_lost_is_asked_for_again(loop);
    vow_loop_close(loop);
    return failures > 0;
}
