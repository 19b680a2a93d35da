#include "tools/vow-load/generator.h"

#include "tools/vow-load/buffer.h"

#include <pthread.h>
#include <stdlib.h>

/* Calls that begin in one go: behind them the loop looks at its sockets again. */
#define GO_MAX 256

/* One call that is outstanding, or room for one. */
typedef struct slot {
    load_generator *generator;
    struct slot    *next; /* that is free */
    vow_channel    *channel;
    vow_call       *call; /* of a method that streams */
    uint64_t        due_ns;
    size_t          step;
} slot;

struct load_generator {
    load_generator_setup setup;
    vow_call_options     options;
    load_request         request; /* scratch */
    uint64_t             start_ns;
    uint64_t             ended_ns;
    uint64_t             made;        /* calls so far */
    uint64_t             measured;    /* of these, not in the warm-up */
    uint64_t             count;       /* of measured calls, in a closed loop; UINT64_MAX: any */
    size_t               due_step;    /* where the last call of an open loop was due */
    size_t               now_step;    /* where the last answer came */
    size_t               outstanding; /* now */
    size_t               resting;     /* lanes of a closed loop */
    uint64_t             rest_until_ns;
    uint64_t             wake_ns; /* asked for, and still to come; 0: none */
    uint64_t             missed;
    bool                 is_making;
    bool                 is_over;
    bool                 was_given_up;
    load_problem         problem;
    slot                *slots;
    slot                *free;
    load_tally          *steps[LOAD_STEPS_MAX + 1];
    pthread_mutex_t      lock;     /* of `interval` */
    load_tally          *interval; /* since the last exchange */
};

/* Life */

/* Of `count` things shared in turn among `of`, how many `place` gets. */
static uint64_t share_of(uint64_t count, size_t place, size_t of)
{
    return count / of + (place < count % of);
}

load_generator *load_generator_new(const load_generator_setup *setup)
{
    load_generator *generator = load_alloc(1, sizeof *generator);

    generator->setup = *setup;
    generator->options = (vow_call_options){
        .size = sizeof generator->options,
        .timeout_ms = setup->timeout_ms,
        .metadata = setup->metadata,
    };
    generator->count =
        setup->schedule->count ? share_of(setup->schedule->count, setup->place, setup->of) : UINT64_MAX;
    generator->slots = load_alloc(setup->outstanding, sizeof *generator->slots);
    for (size_t i = setup->outstanding; i-- > 0;) {
        generator->slots[i].generator = generator;
        generator->slots[i].channel = setup->channels[i % setup->channel_count];
        generator->slots[i].next = generator->free;
        generator->free = &generator->slots[i];
    }
    for (size_t i = 0; i < setup->schedule->step_count; i++)
        generator->steps[i] = load_alloc(1, sizeof *generator->steps[i]);
    generator->interval = load_alloc(1, sizeof *generator->interval);
    pthread_mutex_init(&generator->lock, NULL);
    return generator;
}

void load_generator_free(load_generator *generator)
{
    if (!generator)
        return;
    pthread_mutex_destroy(&generator->lock);
    free(generator->interval);
    for (size_t i = 0; i < generator->setup.schedule->step_count; i++)
        free(generator->steps[i]);
    free(generator->slots);
    load_request_done(&generator->request);
    free(generator);
}

static uint64_t generator_now_ns(const load_generator *generator)
{
    return generator->setup.clock.now_ns(generator->setup.clock.arg);
}

static uint64_t generator_end_ns(const load_generator *generator)
{
    return generator->start_ns + load_schedule_length_ns(generator->setup.schedule);
}

/* Most callers ask for the moment that was asked for before: a system call each would be the dearest part of
 * a call. */
static void generator_wake_at(load_generator *generator, uint64_t moment_ns)
{
    if (generator->wake_ns == moment_ns)
        return;
    generator->wake_ns = moment_ns;
    generator->setup.clock.wake_at(generator->setup.clock.arg, moment_ns);
}

static void generator_check_over(load_generator *generator)
{
    if (generator->is_making || generator->outstanding > 0 || generator->is_over)
        return;
    generator->is_over = true;
    /* A count is over when its last call is; a time is over when it is. */
    if (generator->setup.schedule->count > 0 && !generator->setup.schedule->is_open)
        generator->ended_ns = generator_now_ns(generator) - generator->start_ns;
    generator->setup.over(generator->setup.arg);
}

/* `now_ns` bounds the time that was measured: behind the schedule's end no more was to be. */
static void generator_end(load_generator *generator, uint64_t now_ns)
{
    uint64_t end_ns = generator_end_ns(generator);

    if (!generator->is_making)
        return;
    generator->is_making = false;
    generator->ended_ns = (now_ns < end_ns ? now_ns : end_ns) - generator->start_ns;
}

/* One call */

static void generator_go(load_generator *generator);

static void slot_count_answer(load_tally *tally, const vow_raw *message)
{
    tally->replies++;
    tally->reply_bytes += message->data_size;
}

static void slot_count(const slot *slot, load_tally *tally, const vow_future *reply, uint64_t latency_ns)
{
    vow_code       code = vow_future_code(reply);
    const vow_raw *message = vow_future_value(reply);

    if (slot->generator->was_given_up) {
        tally->unfinished++;
    } else if (code == VOW_OK) {
        tally->answered++;
        if (message)
            slot_count_answer(tally, message);
        stats_histogram_add(&tally->latency, latency_ns);
    } else {
        load_tally_fail(tally, code, vow_future_error(reply));
    }
}

/* One answer of a method that streams them. */
static vow_future *slot_answer(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    slot *slot = arg;

    (void)call;
    slot_count_answer(slot->generator->steps[slot->step], (const vow_raw *)message);
    return NULL;
}

static void slot_settled(vow_future *reply, void *arg)
{
    slot                *slot = arg;
    load_generator      *generator = slot->generator;
    const load_schedule *schedule = generator->setup.schedule;
    uint64_t             now_ns = generator_now_ns(generator);
    uint64_t             latency_ns = now_ns - slot->due_ns;

    slot_count(slot, generator->steps[slot->step], reply, latency_ns);
    pthread_mutex_lock(&generator->lock);
    slot_count(slot, generator->interval, reply, latency_ns);
    pthread_mutex_unlock(&generator->lock);
    generator->now_step = load_schedule_step_at(schedule, now_ns - generator->start_ns, generator->now_step);
    if (vow_future_code(reply) == VOW_OK && generator->now_step < schedule->step_count)
        generator->steps[generator->now_step]->completed++;

    vow_call_drop(slot->call);
    slot->call = NULL;
    generator->outstanding--;
    slot->next = generator->free;
    generator->free = slot;
    if (!schedule->is_open && vow_future_code(reply) == VOW_UNAVAILABLE) {
        generator->resting++;
        generator->rest_until_ns = now_ns + LOAD_REST_NS;
    }
    if (generator->is_making)
        generator_go(generator);
    generator_check_over(generator);
}

/* A method that streams is asked once, and has answered with its last answer. */
static void slot_send(slot *slot, const ProtobufCMessage *request)
{
    const load_generator *generator = slot->generator;
    const vow_method     *method = generator->setup.method;

    if (!method->client_streams && !method->server_streams) {
        vow_done(vow_call_unary(slot->channel, method, request, &generator->options), slot_settled, slot);
        return;
    }
    slot->call = vow_call_start(slot->channel, method, &generator->options);
    vow_call_send(slot->call, request);
    vow_call_end(slot->call);
    vow_done(vow_call_read(slot->call, slot_answer, slot), slot_settled, slot);
}

/* False: its request could not be made. */
static bool generator_call(load_generator *generator, uint64_t due_ns, uint64_t now_ns, size_t step)
{
    const load_generator_setup *setup = &generator->setup;
    uint64_t                    number = setup->first_request + generator->made * setup->of + setup->place;
    const load_buffer          *message =
        load_requests_get(setup->requests, number, &generator->request, &generator->problem);
    slot       *slot = generator->free;
    load_tally *tally = generator->steps[step];
    vow_raw     raw;

    if (!message) {
        generator_end(generator, now_ns);
        return false;
    }
    /* A lane of a closed loop keeps its connection; an open one takes them in turn. */
    if (setup->schedule->is_open)
        slot->channel = setup->channels[generator->made % setup->channel_count];
    generator->made++;
    generator->measured += !(setup->schedule->has_warmup && step == 0);
    generator->outstanding++;
    generator->free = slot->next;
    slot->due_ns = due_ns;
    slot->step = step;
    tally->begun++;
    tally->request_bytes += message->size;
    stats_histogram_add(&tally->lag, now_ns - due_ns);
    pthread_mutex_lock(&generator->lock);
    generator->interval->begun++;
    pthread_mutex_unlock(&generator->lock);

    raw = (vow_raw)VOW_RAW_INIT(message->data, message->size);
    slot_send(slot, &raw.base);
    return true;
}

/* Which calls, and when */

/* Calls of the warm-up that could not begin in time are let go: measuring begins with those that are due
 * then. */
static void generator_skip_warm_up(load_generator *generator, uint64_t now_ns)
{
    const load_generator_setup *setup = &generator->setup;
    double                      calls = setup->schedule->calls[1];

    if (!setup->schedule->has_warmup || now_ns < generator->start_ns + setup->schedule->begins_ns[1])
        return;
    while ((double)(generator->made * setup->of + setup->place) < calls - 1e-6)
        generator->made++;
}

static void generator_go_open(load_generator *generator)
{
    const load_schedule *schedule = generator->setup.schedule;
    uint64_t             last_ns = generator_end_ns(generator) + LOAD_LATE_NS;

    for (size_t began = 0;; began++) {
        uint64_t now_ns = generator_now_ns(generator), index, due_ns;

        if (generator->due_step == 0)
            generator_skip_warm_up(generator, now_ns);
        index = generator->made * generator->setup.of + generator->setup.place;
        if (!load_schedule_due(schedule, index, &due_ns, &generator->due_step)) {
            generator_end(generator, UINT64_MAX);
            return;
        }
        due_ns += generator->start_ns;
        if (now_ns >= last_ns) {
            generator->missed =
                share_of(load_schedule_calls(schedule), generator->setup.place, generator->setup.of) -
                generator->made;
            generator_end(generator, now_ns);
            return;
        }
        if (now_ns < due_ns || generator->outstanding == generator->setup.outstanding || began == GO_MAX) {
            bool waits_for_room = now_ns >= due_ns && began < GO_MAX;

            generator_wake_at(generator, waits_for_room ? last_ns : due_ns);
            return;
        }
        if (!generator_call(generator, due_ns, now_ns, generator->due_step))
            return;
    }
}

static void generator_go_closed(load_generator *generator)
{
    const load_schedule *schedule = generator->setup.schedule;
    uint64_t             now_ns = generator_now_ns(generator), end_ns = generator_end_ns(generator);

    if (generator->resting > 0 && now_ns >= generator->rest_until_ns)
        generator->resting = 0;
    while (generator->outstanding + generator->resting < generator->setup.outstanding) {
        size_t step;

        now_ns = generator_now_ns(generator);
        if (now_ns >= end_ns || generator->measured == generator->count) {
            generator_end(generator, now_ns);
            return;
        }
        step = load_schedule_step_at(schedule, now_ns - generator->start_ns, generator->now_step);
        if (!generator_call(generator, now_ns, now_ns, step))
            return;
    }
    generator_wake_at(generator, generator->resting > 0 && generator->rest_until_ns < end_ns
                                     ? generator->rest_until_ns
                                     : end_ns);
}

/* Called where a call has ended, and where a moment has come. */
static void generator_go(load_generator *generator)
{
    if (generator->setup.schedule->is_open)
        generator_go_open(generator);
    else
        generator_go_closed(generator);
}

void load_generator_start(load_generator *generator, uint64_t start_ns)
{
    generator->start_ns = start_ns;
    generator->is_making = true;
    generator_wake_at(generator, start_ns);
}

void load_generator_wake(load_generator *generator)
{
    generator->wake_ns = 0;
    if (!generator->is_making)
        return;
    /* Behind the end of a closed loop nothing begins, also where all lanes are busy. */
    if (!generator->setup.schedule->is_open && generator_now_ns(generator) >= generator_end_ns(generator))
        generator_end(generator, UINT64_MAX);
    else
        generator_go(generator);
    generator_check_over(generator);
}

void load_generator_stop(load_generator *generator)
{
    generator_end(generator, generator_now_ns(generator));
    generator_check_over(generator);
}

void load_generator_give_up(load_generator *generator)
{
    load_generator_stop(generator);
    generator->was_given_up = true;
}

/* Asking */

const load_tally *load_generator_step(const load_generator *generator, size_t step)
{
    return generator->steps[step];
}

uint64_t load_generator_ended_ns(const load_generator *generator)
{
    return generator->ended_ns;
}

uint64_t load_generator_missed(const load_generator *generator)
{
    return generator->missed;
}

const char *load_generator_problem(const load_generator *generator)
{
    return generator->problem.text;
}

load_tally *load_generator_exchange(load_generator *generator, load_tally *empty)
{
    load_tally *counted;

    pthread_mutex_lock(&generator->lock);
    counted = generator->interval;
    generator->interval = empty;
    pthread_mutex_unlock(&generator->lock);
    return counted;
}
