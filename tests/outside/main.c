/* A server and a channel on one loop, in a program that is not vow's. */
#include "weather.vow.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

static void get_report(vow_call *call, const Outside__City *city, void *arg)
{
    Outside__Report report = OUTSIDE__REPORT__INIT;
    char            text[100];

    (void)arg;
    snprintf(text, sizeof text, "sunny in %s", city->name);
    report.text = text;
    outside_weather_get_report_reply(call, &report);
}

static void print_report(vow_future *reply, void *arg)
{
    const Outside__Report *report = outside_weather_get_report_result(reply);

    puts(report ? report->text : vow_future_error(reply));
    vow_loop_close(arg);
}

/* The messages of google.rpc that vow brings along. */
static int carries_details(vow_loop *loop)
{
    Vow__ErrorInfo error = VOW__ERROR_INFO__INIT;
    vow_future    *failed;
    int            carries;

    error.reason = "FOG";
    failed = vow_failure_with(loop, VOW_NOT_FOUND, VOW_DETAILS(&error.base), "no report");
    carries = vow_future_error_info(failed) && strcmp(vow_future_error_info(failed)->reason, "FOG") == 0;
    vow_drop(failed);
    return carries;
}

int main(void)
{
    static const outside_weather_service service = { .get_report = get_report };
    static char                          name[] = "Bergen";
    uv_loop_t                           *uv = uv_default_loop();
    vow_loop                            *loop = vow_loop_attach(uv);
    vow_server                          *server = vow_server_open(loop, NULL);
    vow_channel                         *channel = vow_channel_open(loop, "memory://weather", NULL);
    Outside__City                        city = OUTSIDE__CITY__INIT;
    vow_error                            error;

    outside_weather_serve(server, &service, NULL);
    if (vow_server_listen(server, "memory://weather", &error) != VOW_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    if (!carries_details(loop))
        return 1;
    city.name = name;
    vow_done(outside_weather_get_report(channel, &city, VOW_CALL(.timeout_ms = 5000)), print_report, loop);
    uv_run(uv, UV_RUN_DEFAULT);
    return uv_loop_close(uv) != 0;
}
