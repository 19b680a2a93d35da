/*
 * Faults of a channel: an interceptor that strikes some of its calls.
 *
 * The idea: whether a call is struck is drawn when it begins; what will become of it is kept with the call,
 * so that the list may be cleared meanwhile.
 */
#include "runtime/service/memory.h"

#include <vow/interceptor.h>
#include <vow/testing.h>

#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 256

typedef struct fault_rule {
    struct fault_rule *next;
    vow_fault          is;
    size_t             seen; /* calls that it could have struck */
    size_t             struck;
    char               message[MESSAGE_SIZE];
} fault_rule;

struct vow_faults {
    vow_channel *channel;
    fault_rule  *rules;
    uint64_t     random;
    size_t       struck;
};

/* What becomes of one call, in its slot. */
typedef struct fault_blow {
    vow_channel *channel;
    vow_future  *cutting; /* dropped when the call ends: a cut must not find the channel closed */
    bool         loses_answer;
    vow_code     code;
    char         message[MESSAGE_SIZE];
} fault_blow;

/* Marsaglia, "Xorshift RNGs", 2003; the multiplication is Vigna's. */
static uint64_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1du;
}

static bool rule_strikes(fault_rule *rule, const vow_call *call, uint64_t *random)
{
    const vow_fault *is = &rule->is;

    if (is->method && strcmp(is->method->name, vow_call_method(call)->name) != 0)
        return false;
    if (rule->seen++ < is->skip || (is->times && rule->struck >= is->times))
        return false;
    if (is->of_thousand && (random_next(random) >> 32) % 1000 >= is->of_thousand)
        return false;
    rule->struck++;
    return true;
}

static fault_rule *faults_choose(vow_faults *faults, const vow_call *call)
{
    for (fault_rule *rule = faults->rules; rule; rule = rule->next) {
        if (rule_strikes(rule, call, &faults->random))
            return rule;
    }
    return NULL;
}

static vow_future *blow_cut(vow_future *slept, void *arg)
{
    fault_blow *blow = arg;

    (void)slept;
    vow_channel_cut(blow->channel);
    return NULL;
}

static vow_future *blow_fail(vow_future *slept, void *arg)
{
    fault_blow *blow = arg;

    return vow_failure(vow_future_loop(slept), blow->code, "%s", blow->message);
}

/* Before the call leaves. */
static vow_future *blow_fall(fault_blow *blow, const vow_fault *is, vow_call *call)
{
    vow_loop   *loop = vow_call_loop(call);
    vow_future *waits = is->delay_ms > 0 ? vow_sleep(loop, is->delay_ms) : NULL;

    if (is->cuts) /* one turn after it has left */
        blow->cutting = vow_then(vow_sleep(loop, is->delay_ms > 0 ? is->delay_ms + 1 : 0), blow_cut, blow);
    if (is->code == VOW_OK || is->loses_answer)
        return waits;
    if (waits)
        return vow_then(waits, blow_fail, blow);
    vow_call_end_as(call, is->code, "%s", blow->message);
    return NULL;
}

static vow_future *faults_begin(vow_call *call, void *arg)
{
    vow_faults *faults = arg;
    fault_rule *rule = faults_choose(faults, call);
    fault_blow *blow = rule ? vow_call_slot(call, faults, sizeof *blow) : NULL;

    if (!rule)
        return NULL;
    faults->struck++;
    if (!blow)
        return vow_failure(vow_call_loop(call), VOW_RESOURCE_EXHAUSTED, "no memory for a fault");
    blow->channel = faults->channel;
    blow->loses_answer = rule->is.loses_answer;
    blow->code = rule->is.code == VOW_OK ? VOW_UNAVAILABLE : rule->is.code;
    memcpy(blow->message, rule->message, sizeof blow->message);
    return blow_fall(blow, &rule->is, call);
}

static void faults_end(vow_call *call, const vow_call_result *result, void *arg)
{
    fault_blow *blow = vow_call_slot(call, arg, sizeof *blow);

    if (!blow)
        return;
    vow_drop(blow->cutting);
    blow->cutting = NULL;
    if (blow->loses_answer && result->code == VOW_OK)
        vow_call_end_as(call, blow->code, "%s", blow->message);
}

vow_faults *vow_faults_new(vow_channel *channel, uint64_t seed)
{
    vow_faults *faults = vow_service_alloc(sizeof *faults);

    if (!faults)
        return NULL;
    faults->channel = channel;
    faults->random = seed * 2 + 1; /* never 0, where the sequence would stay */
    vow_channel_intercept(channel, VOW_INTERCEPTOR(.begin = faults_begin, .end = faults_end, .arg = faults));
    return faults;
}

void vow_faults_free(vow_faults *faults)
{
    if (!faults)
        return;
    vow_faults_clear(faults);
    vow_service_free(faults);
}

vow_code vow_faults_add(vow_faults *faults, const vow_fault *fault)
{
    fault_rule  *rule = vow_service_alloc(sizeof *rule);
    fault_rule **end = &faults->rules;
    const char  *usual =
        fault->loses_answer ? "the answer was lost, as a test wants it" : "it fails, as a test wants it";

    if (!rule)
        return VOW_RESOURCE_EXHAUSTED;
    memcpy(&rule->is, fault, fault->size < sizeof rule->is ? fault->size : sizeof rule->is);
    snprintf(rule->message, sizeof rule->message, "%s", rule->is.message ? rule->is.message : usual);
    while (*end)
        end = &(*end)->next;
    *end = rule;
    return VOW_OK;
}

void vow_faults_clear(vow_faults *faults)
{
    while (faults->rules) {
        fault_rule *rule = faults->rules;

        faults->rules = rule->next;
        vow_service_free(rule);
    }
}

size_t vow_faults_count(const vow_faults *faults)
{
    return faults->struck;
}
