// A server and a channel on one loop over TCP, in a C++ program: two calls at once, awaited together.
#include "weather.vow.h"

#include <cstdio>
#include <string>
#include <uv.h>

static void get_report(vow_call *call, const Outside__City *city, void *)
{
    std::string     text = std::string("sunny in ") + city->name;
    Outside__Report report = OUTSIDE__REPORT__INIT;

    report.text = text.data();
    outside_weather_get_report_reply(call, &report);
}

static vow_future *ask(vow_channel *channel, std::string name)
{
    Outside__City city = OUTSIDE__CITY__INIT;

    city.name = name.data();
    return outside_weather_get_report(channel, &city, VOW_CALL(.timeout_ms = 5000));
}

static void print_reports(vow_future *all, void *arg)
{
    if (vow_future_code(all) != VOW_OK)
        std::puts(vow_future_error(all));
    for (size_t i = 0; vow_future_code(all) == VOW_OK && i < 2; i++)
        std::puts(outside_weather_get_report_result(vow_future_at(all, i))->text);
    vow_loop_close(static_cast<vow_loop *>(arg));
}

// The messages of google.rpc that vow brings along.
static bool carries_details(vow_loop *loop)
{
    std::string             reason = "FOG";
    Vow__ErrorInfo          error = VOW__ERROR_INFO__INIT;
    const ProtobufCMessage *details[] = { &error.base, nullptr };

    error.reason = reason.data();
    vow_future *failed = vow_failure_with(loop, VOW_NOT_FOUND, details, "no report");
    bool        carries = vow_future_error_info(failed) && vow_future_error_info(failed)->reason == reason;
    vow_drop(failed);
    return carries;
}

int main()
{
    outside_weather_service service = {};
    uv_loop_t              *uv = uv_default_loop();
    vow_loop               *loop = vow_loop_attach(uv);
    vow_server             *server = vow_server_open(loop, VOW_SERVER(.max_calls = 10));
    vow_error               error;

    if (!carries_details(loop))
        return 1;
    service.get_report = get_report;
    outside_weather_serve(server, &service, nullptr);
    if (vow_server_listen(server, "tcp://127.0.0.1:0", &error) != VOW_OK) {
        std::fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    std::string  target = "tcp://127.0.0.1:" + std::to_string(vow_server_port(server));
    vow_channel *channel = vow_channel_open(loop, target.c_str(), nullptr);
    vow_future  *reports[] = { ask(channel, "Bergen"), ask(channel, "Oslo") };

    vow_done(vow_all(loop, 2, reports), print_reports, loop);
    uv_run(uv, UV_RUN_DEFAULT);
    return uv_loop_close(uv) != 0;
}
