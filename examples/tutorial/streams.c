/* tutorial-streams TARGET: talks to an almanac, in all the ways that the tutorial shows. */
#include "almanac.h"
#include "weather.vow.h"

#include <vow/vow.h>

#include <stdio.h>
#include <uv.h>

#define UPLOADS 100000

static char tromso[] = "Tromso";
static char nairobi[] = "Nairobi";
static char lima[] = "Lima";

/* What one lesson keeps. They run one after the other. */
struct lesson {
    vow_channel *channel;
    vow_channel *relay;
    vow_call    *call;
    size_t       count;
    double       sum;
};

static void drop_call(void *call)
{
    vow_call_drop(call);
}

/* Many replies */

static vow_call *watch(vow_channel *channel, char *city)
{
    Weather__ReportRequest request = WEATHER__REPORT_REQUEST__INIT;

    request.city = city;
    return weather_almanac_watch(channel, &request, NULL);
}

static vow_future *add_report(vow_call *call, const Weather__Report *report, void *arg)
{
    struct lesson *lesson = arg;

    (void)call;
    lesson->count++;
    lesson->sum += report->celsius;
    return NULL; /* ready for the next */
}

static vow_future *print_average(vow_future *end, void *arg)
{
    struct lesson *lesson = arg;

    (void)end;
    printf("%zu hours, %.1f C on average\n", lesson->count, lesson->sum / (double)lesson->count);
    return NULL;
}

static vow_future *read_all(struct lesson *lesson)
{
    vow_call   *call = watch(lesson->channel, tromso);
    vow_future *end = weather_almanac_watch_read_replies(call, add_report, lesson);

    return vow_attach(vow_then(end, print_average, lesson), call, drop_call);
}

static vow_future *through_a_relay(struct lesson *lesson)
{
    vow_call   *call = watch(lesson->relay, tromso);
    vow_future *end = weather_almanac_watch_read_replies(call, add_report, lesson);

    printf("through a relay: ");
    return vow_attach(vow_then(end, print_average, lesson), call, drop_call);
}

static vow_future *read_until_it_freezes_no_more(vow_future *next, void *arg)
{
    const Weather__Report *report = weather_almanac_watch_result(next);
    struct lesson         *lesson = arg;

    if (!report)
        return NULL; /* there was no such hour */
    if (report->celsius < 0) {
        lesson->count++;
        return vow_then(vow_call_next(lesson->call), read_until_it_freezes_no_more, lesson);
    }
    printf("it freezes for %zu hours; the rest is not read\n", lesson->count);
    return NULL;
}

static vow_future *read_one_by_one(struct lesson *lesson)
{
    vow_future *found;

    lesson->call = watch(lesson->channel, tromso);
    found = vow_then(vow_call_next(lesson->call), read_until_it_freezes_no_more, lesson);
    return vow_attach(found, lesson->call, drop_call); /* which cancels what has not ended */
}

/* Many requests */

static vow_future *upload_some(vow_call *call, void *arg)
{
    Weather__Report report = WEATHER__REPORT__INIT;
    struct lesson  *lesson = arg;

    report.city = lima;
    while (lesson->count < UPLOADS) {
        report.celsius = (double)(lesson->count++ % 21);
        if (!weather_almanac_upload_send_request(call, &report))
            return NULL; /* this one is on its way; ask again when there is room */
    }
    vow_call_end(call);
    return NULL;
}

static vow_future *wait_for_reply(vow_future *written, void *arg)
{
    struct lesson *lesson = arg;

    (void)written;
    return vow_call_next(lesson->call);
}

static vow_future *print_reply(vow_future *next, void *arg)
{
    struct lesson *lesson = arg;

    printf("%zu reports uploaded, %.0f C on average\n", lesson->count,
           weather_almanac_upload_result(next)->celsius);
    return NULL;
}

static vow_future *write_many(struct lesson *lesson)
{
    vow_future *reply;

    lesson->call = weather_almanac_upload(lesson->channel, NULL);
    reply = vow_then(vow_call_write(lesson->call, upload_some, lesson), wait_for_reply, lesson);
    return vow_attach(vow_then(reply, print_reply, lesson), lesson->call, drop_call);
}

/* Both */

static void follow(vow_call *call, char *city)
{
    Weather__ReportRequest request = WEATHER__REPORT_REQUEST__INIT;

    request.city = city;
    weather_almanac_follow_send_request(call, &request);
}

/* The second city is named when the first report has come. */
static vow_future *print_and_go_on(vow_call *call, const Weather__Report *report, void *arg)
{
    struct lesson *lesson = arg;

    printf("%s: %.1f C\n", report->city, report->celsius);
    if (++lesson->count == 1)
        follow(call, nairobi);
    else
        vow_call_end(call); /* half closed: the other side goes on until it has ended, too */
    return NULL;
}

static vow_future *talk(struct lesson *lesson)
{
    vow_call *call = weather_almanac_follow(lesson->channel, NULL);

    follow(call, tromso);
    return vow_attach(weather_almanac_follow_read_replies(call, print_and_go_on, lesson), call, drop_call);
}

static vow_future *print_error(vow_future *failed, void *arg)
{
    (void)arg;
    printf("failed: %s\n", vow_code_name(vow_future_code(failed)));
    return NULL;
}

/* Nobody names a city, and so no report ever comes. */
static vow_future *a_deadline(struct lesson *lesson)
{
    vow_call   *call = weather_almanac_follow(lesson->channel, VOW_CALL(.timeout_ms = 50));
    vow_future *end = vow_recover(vow_call_next(call), print_error, NULL);

    return vow_attach(end, call, drop_call);
}

/* The program */

typedef vow_future *lesson_fn(struct lesson *lesson);

static lesson_fn *const lessons[] = {
    read_all, read_one_by_one, write_many, talk, a_deadline, through_a_relay,
};

#define LESSONS (sizeof lessons / sizeof lessons[0])

static vow_future *start_lesson(size_t index, void *arg)
{
    struct lesson *lesson = arg;

    lesson->count = 0;
    lesson->sum = 0;
    return lessons[index](lesson);
}

struct program {
    vow_loop *loop;
    int       status;
};

static void finished(vow_future *all, void *arg)
{
    struct program *program = arg;

    if (vow_future_code(all) != VOW_OK) {
        fprintf(stderr, "tutorial-streams: %s\n", vow_future_error(all));
        program->status = 1;
    }
    vow_loop_close(program->loop); /* its channels and its server with it */
}

int main(int argc, char **argv)
{
    static struct program program;
    static struct lesson  lesson;
    vow_server           *server;

    program.loop = vow_loop_attach(uv_default_loop());
    if (argc != 2 || !program.loop) {
        fprintf(stderr, "usage: tutorial-streams TARGET\n");
        return 2;
    }
    lesson.channel = vow_channel_open(program.loop, argv[1], NULL);
    lesson.relay = vow_channel_open(program.loop, "memory://relay", NULL);
    server = vow_server_open(program.loop, NULL);
    almanac_serve_relay(server, lesson.channel);
    if (vow_server_listen(server, "memory://relay", NULL) != VOW_OK)
        return 1;
    vow_done(vow_each(program.loop, LESSONS, 1, start_lesson, &lesson), finished, &program);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return program.status;
}
