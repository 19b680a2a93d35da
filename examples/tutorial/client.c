/* tutorial-client TARGET: asks a weather station, in all the ways that the tutorial shows. */
#include "weather.vow.h"

#include <vow/vow.h>

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

static char tromso[] = "Tromso";
static char nairobi[] = "Nairobi";
static char lima[] = "Lima"; /* whose instrument is slow */
static char atlantis[] = "Atlantis";

static vow_future *ask(vow_channel *channel, char *city, const vow_call_options *options)
{
    Weather__ReportRequest request = WEATHER__REPORT_REQUEST__INIT;

    request.city = city;
    return weather_station_get_report(channel, &request, options);
}

static vow_future *print_report(vow_future *reply, void *arg)
{
    const Weather__Report *report = weather_station_get_report_result(reply);

    (void)arg;
    printf("%s: %.1f C\n", report->city, report->celsius);
    return NULL;
}

static vow_future *one_call(vow_channel *channel)
{
    return vow_then(ask(channel, tromso, NULL), print_report, NULL);
}

static vow_future *choose_warmest(vow_future *all, void *arg)
{
    const Weather__Report *warmest = weather_station_get_report_result(vow_future_at(all, 0));

    (void)arg;
    for (size_t i = 1; vow_future_at(all, i); i++) {
        const Weather__Report *report = weather_station_get_report_result(vow_future_at(all, i));

        if (report->celsius > warmest->celsius)
            warmest = report;
    }
    return vow_keep(all, warmest); /* the report lies inside a reply of `all` */
}

static vow_future *three_calls(vow_channel *channel)
{
    vow_future *all = vow_all(
        vow_channel_loop(channel),
        VOW_FUTURES(ask(channel, tromso, NULL), ask(channel, nairobi, NULL), ask(channel, lima, NULL)));

    printf("the warmest of three: ");
    return vow_then(vow_then(all, choose_warmest, NULL), print_report, NULL);
}

static vow_future *print_error(vow_future *failed, void *arg)
{
    (void)arg;
    printf("failed: %s\n", vow_code_name(vow_future_code(failed)));
    return NULL;
}

static vow_future *a_deadline(vow_channel *channel)
{
    vow_future *report = ask(channel, lima, VOW_CALL(.timeout_ms = 50));

    return vow_recover(vow_then(report, print_report, NULL), print_error, NULL);
}

static vow_future *one_deadline_for_two_calls(vow_channel *channel)
{
    vow_future *both = vow_all(vow_channel_loop(channel),
                               VOW_FUTURES(ask(channel, nairobi, NULL), ask(channel, lima, NULL)));

    return vow_recover(vow_timeout(both, 50), print_error, NULL);
}

static vow_future *the_first_answer(vow_channel *channel)
{
    vow_future *first = vow_any(vow_channel_loop(channel),
                                VOW_FUTURES(ask(channel, lima, NULL), ask(channel, nairobi, NULL)));

    printf("the first of two: ");
    return vow_then(first, print_report, NULL);
}

static vow_future *no_report(vow_future *failed, void *arg)
{
    static Weather__Report unknown = WEATHER__REPORT__INIT;

    (void)arg;
    if (vow_future_code(failed) != VOW_NOT_FOUND)
        return vow_future_ref(failed); /* not ours to handle: pass it on */
    printf("%s, so: ", vow_future_message(failed));
    unknown.city = tromso;
    return vow_value(vow_future_loop(failed), &unknown, NULL);
}

static vow_future *an_error(vow_channel *channel)
{
    vow_future *report = vow_recover(ask(channel, atlantis, NULL), no_report, NULL);

    return vow_then(report, print_report, NULL);
}

/* An owner that may go at any moment: it drops what it waits for, then frees itself. */
struct window {
    vow_future *report;
    double      celsius;
};

static vow_future *window_show(vow_future *reply, void *arg)
{
    struct window *window = arg;

    if (vow_future_code(reply) == VOW_OK)
        window->celsius = weather_station_get_report_result(reply)->celsius;
    return NULL;
}

static void window_ask(struct window *window, vow_channel *channel, char *city)
{
    vow_drop(window->report); /* the question before, if there was one */
    window->report = vow_either(ask(channel, city, NULL), window_show, window);
}

static void window_close(struct window *window)
{
    vow_drop(window->report); /* cancels the call; window_show is not called any more */
    free(window);
}

static vow_future *an_owner_that_goes(vow_channel *channel)
{
    struct window *window = calloc(1, sizeof *window);

    if (!window)
        return vow_failure(vow_channel_loop(channel), VOW_RESOURCE_EXHAUSTED, "no memory for a window");
    window_ask(window, channel, tromso);
    window_ask(window, channel, lima);
    window_close(window);
    printf("the window was closed\n");
    return NULL;
}

typedef vow_future *lesson(vow_channel *channel);

static lesson *const lessons[] = {
    one_call,         three_calls, a_deadline,         one_deadline_for_two_calls,
    the_first_answer, an_error,    an_owner_that_goes,
};

#define LESSONS (sizeof lessons / sizeof lessons[0])

static vow_future *start_lesson(size_t index, void *arg)
{
    return lessons[index](arg);
}

struct program {
    vow_loop    *loop;
    vow_channel *channel;
    int          status;
};

static void finished(vow_future *all, void *arg)
{
    struct program *program = arg;

    if (vow_future_code(all) != VOW_OK) {
        fprintf(stderr, "tutorial-client: %s\n", vow_future_error(all));
        program->status = 1;
    }
    vow_channel_close(program->channel);
    vow_loop_close(program->loop);
}

int main(int argc, char **argv)
{
    static struct program program;

    program.loop = vow_loop_attach(uv_default_loop());
    if (argc != 2 || !program.loop) {
        fprintf(stderr, "usage: tutorial-client TARGET\n");
        return 2;
    }
    program.channel = vow_channel_open(program.loop, argv[1], NULL);
    vow_done(vow_each(program.loop, LESSONS, 1, start_lesson, program.channel), finished, &program);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return program.status;
}
