#include "tests/support/storm_service.h"

#include "runtime/base/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLD_MAX_MS 1500

/* What is sent */

void storm_text(char *text, size_t number, size_t size)
{
    size_t length = (size_t)snprintf(text, 32, "%zu:", number);

    for (; length < size; length++)
        text[length] = (char)('a' + (number * 7 + length * length) % 26);
    text[length] = '\0';
}

void storm_block(uint8_t *bytes, size_t number, size_t size)
{
    uint32_t name = (uint32_t)number;
    uint64_t state = number;

    memcpy(bytes, &name, sizeof name);
    for (size_t i = sizeof name; i < size; i += sizeof state) {
        uint64_t next = vow_random_next(&state);

        memcpy(bytes + i, &next, size - i < sizeof next ? size - i : sizeof next);
    }
}

/* The account */

static bool run_count(storm_service *service, size_t number)
{
    if (number >= 2 * STORM_CALLS_MAX || (number < STORM_CHILD && !service->sizes[number])) {
        service->fail(service->owner, "a handler ran for a call that was not made", number);
        return false;
    }
    service->ran++;
    service->tell(service->owner, "is handled", number);
    if (++service->runs[number] > 1)
        service->fail(service->owner, "a handler ran twice for one call", number);
    return true;
}

/* Counts a run, and gives whose it is; STORM_CALLS_MAX * 2: nobody's. */
static size_t text_arrives(storm_service *service, const char *text)
{
    char   expected[STORM_TEXT_MAX + 64];
    size_t number = strtoul(text, NULL, 10);

    if (!run_count(service, number))
        return 2 * STORM_CALLS_MAX;
    storm_text(expected, number, service->sizes[number % STORM_CHILD]);
    if (strcmp(text, expected) != 0)
        service->fail(service->owner, "a handler got another request than was sent", number);
    return number;
}

/* At once */

static void serve_block(vow_call *call, const Calls__Block *request, void *arg)
{
    storm_service *service = arg;
    uint8_t       *expected = malloc(request->body.len + 1);
    uint32_t       number = 2 * STORM_CALLS_MAX;

    if (request->body.len >= sizeof number)
        memcpy(&number, request->body.data, sizeof number);
    if (run_count(service, number)) {
        storm_block(expected, number, request->body.len);
        if (request->body.len != service->sizes[number] || memcmp(expected, request->body.data, request->body.len) != 0)
            service->fail(service->owner, "a handler got another block than was sent", number);
    }
    free(expected);
    calls_calls_echo_block_reply(call, request);
}

static void serve_fail(vow_call *call, const Calls__Text *request, void *arg)
{
    text_arrives(arg, request->text);
    vow_call_fail(call, VOW_INVALID_ARGUMENT, "%s", request->text);
}

/* Every second call is passed on to another server, as a child. */
static void serve_echo(vow_call *call, const Calls__Text *request, void *arg)
{
    storm_service *service = arg;
    size_t         number = text_arrives(service, request->text);
    Calls__Text    child = CALLS__TEXT__INIT;
    char           text[STORM_TEXT_MAX + 64];

    if (number >= STORM_CHILD || number % 2 == 0 || !service->children) {
        calls_calls_echo_reply(call, request);
        return;
    }
    storm_text(text, number + STORM_CHILD, service->sizes[number]);
    child.text = text;
    vow_call_answer(call, calls_calls_echo(service->children, &child, VOW_CALL(.parent = call)));
}

/* Later */

typedef struct hold {
    storm_service     *service;
    vow_call          *call;
    const Calls__Text *request;
    vow_future        *rest;   /* of the time that it is held */
    vow_future        *closed; /* what waits for its caller to go */
    size_t             number;
} hold;

/* Both may be due in one turn: whichever comes first withdraws the other. */
static void hold_end(hold *hold)
{
    vow_drop(hold->rest);
    vow_drop(hold->closed);
    hold->service->let_go++;
}

static vow_future *hold_is_over(vow_future *settled, void *arg)
{
    hold *hold = arg;

    (void)settled;
    hold_end(hold);
    calls_calls_hold_reply(hold->call, hold->request);
    return NULL;
}

static vow_future *hold_closed(vow_future *closed, void *arg)
{
    hold    *hold = arg;
    vow_code code = vow_future_code(closed);

    hold->service->tell(hold->service->owner, "is not waited for any more", hold->number);
    if (code != VOW_CANCELLED && code != VOW_DEADLINE_EXCEEDED)
        hold->service->fail(hold->service->owner, "a held call was closed with another code", hold->number);
    if (!vow_call_cancelled(hold->call))
        hold->service->fail(hold->service->owner, "a call that was closed does not say so", hold->number);
    hold_end(hold);
    vow_call_fail(hold->call, VOW_CANCELLED, "the caller has gone");
    return NULL;
}

static void serve_hold(vow_call *call, const Calls__Text *request, void *arg)
{
    storm_service *service = arg;
    hold          *hold = vow_call_alloc(call, sizeof *hold);

    if (!hold)
        return;
    hold->service = service;
    hold->call = call;
    hold->request = request;
    hold->number = text_arrives(service, request->text);
    service->held++;
    hold->rest = vow_then(vow_sleep(service->loop, (int64_t)vow_random_below(&service->random, HOLD_MAX_MS)),
                          hold_is_over, hold);
    hold->closed = vow_recover(vow_call_when_closed(call), hold_closed, hold);
}

/* By a future */

typedef struct job {
    storm_service *service;
    Calls__Text    reply; /* the value that the caller gets */
    char           text[];
} job;

static job *job_new(storm_service *service, const char *text)
{
    job *job = malloc(sizeof *job + strlen(text) + 1);

    job->service = service;
    calls__text__init(&job->reply);
    job->reply.text = strcpy(job->text, text);
    service->jobs++;
    return job;
}

static void job_free(void *object)
{
    job *job = object;

    job->service->jobs--;
    free(job);
}

static vow_future *job_reply(vow_future *settled, void *arg)
{
    job *job = arg;

    (void)arg;
    return vow_keep(settled, &job->reply);
}

static vow_code job_run(void *object, vow_error *error)
{
    job *job = object;

    if (job->reply.text != job->text)
        return vow_error_set(error, VOW_DATA_LOSS, "the job was overwritten");
    return VOW_OK;
}

static vow_future *job_slept(vow_future *slept, void *arg)
{
    job *job = arg;

    return vow_value(vow_future_loop(slept), &job->reply, NULL);
}

/* By turns in the thread pool and after some sleep. */
static void serve_read(vow_call *call, const Calls__Text *request, void *arg)
{
    storm_service *service = arg;
    size_t         number = text_arrives(service, request->text);
    job           *job = job_new(service, request->text);
    vow_future    *answer;

    if (number % 2) {
        answer = vow_work(service->loop, job_run, job, job_free);
        answer = vow_then(answer, job_reply, job);
    } else {
        answer = vow_sleep(service->loop, (int64_t)vow_random_below(&service->random, HOLD_MAX_MS));
        answer = vow_attach(vow_then(answer, job_slept, job), job, job_free);
    }
    vow_call_answer(call, answer);
}

static const calls_calls_service service_functions = {
    .echo = serve_echo,
    .echo_block = serve_block,
    .hold = serve_hold,
    .fail = serve_fail,
    .read = serve_read,
};

void storm_serve(vow_server *server, storm_service *service)
{
    calls_calls_serve(server, &service_functions, service);
}
