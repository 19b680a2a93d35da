/* A program of generated code: prints what becomes of its calls, and writes the files behind one method to
 * the path in argv[1]. */
#include "kinds.vow.h"
#include "places/map-view.v2.vow.h"
#include "weather.vow.h"

#include <stdio.h>
#include <string.h>

static void get_report(vow_call *call, const Weather__ReportRequest *request, void *arg)
{
    Weather__Report report = WEATHER__REPORT__INIT;

    printf("the handler has the city \"%s\" and %s\n", request->city, (const char *)arg);
    weather_station_get_report_reply(call, &report);
}

static vow_future *read_report(vow_call *call, const Weather__Report *report, void *arg)
{
    (void)call;
    printf("a report of the city \"%s\" comes to %s\n", report->city, (const char *)arg);
    return NULL;
}

static void upload(vow_call *call, void *arg)
{
    Weather__Report report = WEATHER__REPORT__INIT;

    printf("the handler of a stream has %s\n", (const char *)arg);
    (void)!weather_station_upload_read_requests(call, read_report, arg);
    weather_station_upload_reply(call, &report);
}

static void call_and_serve(void)
{
    static const weather_station_service service = { .get_report = get_report, .upload = upload };
    static char                          arg[] = "its argument";
    Weather__ReportRequest               request = WEATHER__REPORT_REQUEST__INIT;
    Weather__Report                      report = WEATHER__REPORT__INIT;
    vow_future                          *reply = weather_station_get_report(NULL, &request, NULL);

    Weather__WatchRequest watch = WEATHER__WATCH_REQUEST__INIT;
    vow_call             *call = weather_station_watch(NULL, &watch, NULL);

    (void)reply;
    (void)call;
    weather_station_upload_send_request(weather_station_upload(NULL, NULL), &report);
    weather_station_watch_send_reply(call, &report);
    (void)!weather_station_watch_read_replies(call, read_report, arg);
    printf("the request is %s\n",
           weather_station_upload_request((const vow_future *)&report) == &report ? "the value" : "another");
    printf("the result is %s\n", weather_station_get_report_result((const vow_future *)&report) == &report
                                     ? "the value"
                                     : "another");
    printf("the cast is %s\n", weather_report_of(&report.base) == &report ? "the message" : "another");
    weather_station_serve(NULL, &service, arg);
}

/* Fields of proto3 that are optional: absent on the wire, or there with their default. */
static void pack_optional(void)
{
    Test__Kinds__Everything  everything = TEST__KINDS__EVERYTHING__INIT;
    Test__Kinds__Everything *unpacked;
    uint8_t                  packed[64];
    size_t                   size;

    printf("nothing takes %zu bytes\n", test__kinds__everything__get_packed_size(&everything));
    everything._maybe_number_case = TEST__KINDS__EVERYTHING___MAYBE_NUMBER_MAYBE_NUMBER;
    size = test__kinds__everything__pack(&everything, packed);
    unpacked = test__kinds__everything__unpack(NULL, size, packed);
    printf("an optional zero takes %zu bytes, and is %s\n", size,
           unpacked->_maybe_number_case == TEST__KINDS__EVERYTHING___MAYBE_NUMBER_MAYBE_NUMBER &&
                   unpacked->_maybe_text_case == TEST__KINDS__EVERYTHING___MAYBE_TEXT__NOT_SET
               ? "there alone"
               : "lost");
    test__kinds__everything__free_unpacked(unpacked, NULL);
}

static int write_files(const char *path)
{
    const vow_file_set *files = test_places_v2_map_view_draw_method.files;
    FILE               *file = fopen(path, "wb");

    if (!file || fwrite(files->data, 1, files->data_size, file) != files->data_size)
        return 1;
    return fclose(file) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    call_and_serve();
    pack_optional();
    return argc == 2 ? write_files(argv[1]) : 1;
}
