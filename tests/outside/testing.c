/* What <vow/testing.h> has for programs that are not vow's: a script on a simulated loop. */
#include "weather.vow.h"

#include <stdio.h>
#include <vow/testing.h>
#include <vow/vow.h>

int main(void)
{
    static char     text[] = "sunny in a script";
    static char     name[] = "Bergen";
    vow_loop       *loop = vow_loop_simulated(1);
    vow_script     *script = vow_script_open(loop);
    vow_channel    *channel = vow_channel_open_to(loop, vow_script_server(script), NULL);
    vow_faults     *faults = vow_faults_new(channel, 1);
    Outside__Report report = OUTSIDE__REPORT__INIT;
    Outside__City   city = OUTSIDE__CITY__INIT;
    vow_future     *reply;

    report.text = text;
    city.name = name;
    vow_network_set_faults(vow_network_of(loop), VOW_NETWORK_FAULTS(.latency_us = 1000));
    vow_faults_add(faults, VOW_FAULT(.delay_ms = 1));
    vow_script_add(script, &outside_weather_get_report_method, VOW_STEP(.reply = &report.base));
    reply = outside_weather_get_report(channel, &city, NULL);
    puts(vow_wait(reply) == VOW_OK ? outside_weather_get_report_result(reply)->text : vow_future_error(reply));
    vow_drop(reply);
    vow_channel_close(channel);
    vow_faults_free(faults);
    vow_script_close(script);
    vow_loop_close(loop);
    return 0;
}
