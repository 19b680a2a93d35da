/*
 * A server that answers by a list of steps.
 *
 * The idea: a part for each method that has steps: those that are left, in order, and what came. A call takes
 * its step when it comes, and keeps it: a step is freed with the script, not when it has been used.
 */
#include "runtime/service/memory.h"

#include <vow/stream.h>
#include <vow/testing.h>

#include <stdio.h>
#include <string.h>

/* Messages of one method that are kept for vow_script_asked. */
#define KEPT_MAX 10000

#define NAME_SIZE 64
#define TEXT_SIZE 320

typedef struct script_message {
    struct script_message *next;
    ProtobufCMessage      *unpacked; /* once it was asked for */
    size_t                 size;
    uint8_t                bytes[];
} script_message;

typedef struct script_step {
    struct script_step *next;
    vow_script_step     is; /* its messages are packed, in the lists below */
    script_message     *request;
    script_message     *replies;
    char               *failure; /* a copy of is.message */
    size_t              used;
} script_step;

typedef struct script_part {
    struct script_part *next;
    vow_script         *script;
    const vow_method   *method;
    script_step        *steps;
    script_step        *present; /* the first that is left */
    script_message     *asked;
    script_message    **asked_end;
    size_t              asked_count;
    size_t              calls;
} script_part;

struct vow_script {
    vow_loop    *loop;
    vow_server  *server;
    script_part *parts;
    size_t       surprises;
    bool         lacks_memory;
};

/* What one call needs, in its memory. */
typedef struct script_run {
    script_part    *part;
    vow_call       *call;
    script_step    *step;     /* NULL: none was left */
    script_message *reply;    /* the next */
    size_t          came;     /* messages of the call */
    size_t          number;   /* of the call */
    bool            is_wrong; /* it asks for something else */
} script_run;

/* Messages */

static script_message *message_pack(const ProtobufCMessage *message)
{
    bool   is_raw = message->descriptor == &vow_raw_descriptor;
    size_t size =
        is_raw ? ((const vow_raw *)message)->data_size : protobuf_c_message_get_packed_size(message);
    script_message *packed = vow_service_alloc(sizeof *packed + size);

    if (!packed)
        return NULL;
    packed->size = size;
    if (!is_raw)
        protobuf_c_message_pack(message, packed->bytes);
    else if (size)
        memcpy(packed->bytes, ((const vow_raw *)message)->data, size);
    return packed;
}

static bool message_is(const script_message *packed, const ProtobufCMessage *message)
{
    script_message *other = message_pack(message);
    bool is = other && other->size == packed->size && memcmp(other->bytes, packed->bytes, packed->size) == 0;

    vow_service_free(other);
    return is;
}

static void *unpack_alloc(void *data, size_t size)
{
    (void)data;
    return vow_service_alloc(size);
}

static void unpack_free(void *data, void *memory)
{
    (void)data;
    vow_service_free(memory);
}

static ProtobufCAllocator unpack_allocator = { .alloc = unpack_alloc, .free = unpack_free };

static void messages_free(script_message *message)
{
    while (message) {
        script_message *next = message->next;

        if (message->unpacked)
            protobuf_c_message_free_unpacked(message->unpacked, &unpack_allocator);
        vow_service_free(message);
        message = next;
    }
}

/* Steps */

static void step_free(script_step *step)
{
    messages_free(step->request);
    messages_free(step->replies);
    vow_service_free(step->failure);
    vow_service_free(step);
}

static void step_fail_as(script_step *step, vow_code code, const char *text)
{
    size_t size = strlen(text) + 1;

    vow_service_free(step->failure);
    step->is.code = code;
    step->is.stalls = false;
    step->failure = vow_service_alloc(size);
    if (step->failure)
        memcpy(step->failure, text, size);
}

/* Packs `message` to the end of the step's list. False: no memory. */
static bool step_keep(script_message **end, const ProtobufCMessage *message)
{
    while (*end)
        end = &(*end)->next;
    *end = message_pack(message);
    return *end != NULL;
}

static bool type_is(const ProtobufCMessage *message, const ProtobufCMessageDescriptor *wanted)
{
    return message->descriptor == wanted || message->descriptor == &vow_raw_descriptor;
}

static bool step_copy_replies(script_step *step, const vow_method *method, const vow_script_step *given)
{
    const ProtobufCMessage *const *more = method->server_streams ? given->replies : NULL;
    const ProtobufCMessage        *reply = given->reply;
    char                           text[TEXT_SIZE];

    for (; reply || (more && *more); reply = NULL) {
        const ProtobufCMessage *message = reply ? reply : *more++;

        if (!type_is(message, method->reply)) {
            snprintf(text, sizeof text, "%.100s answers with a %.60s, and its script has a %.60s",
                     method->name, method->reply->name, message->descriptor->name);
            step_fail_as(step, VOW_INTERNAL, text);
            return true;
        }
        if (!step_keep(&step->replies, message))
            return false;
    }
    return true;
}

static script_step *step_new(const vow_method *method, const vow_script_step *given)
{
    script_step *step = vow_service_alloc(sizeof *step);

    if (!step)
        return NULL;
    step->is.size = sizeof step->is;
    if (given)
        memcpy(&step->is, given, given->size < sizeof step->is ? given->size : sizeof step->is);
    if (step->is.times == 0)
        step->is.times = 1;
    if (step->is.code != VOW_OK)
        step_fail_as(step, step->is.code, step->is.message ? step->is.message : "as its script says");
    if ((step->is.request && !step_keep(&step->request, step->is.request)) ||
        !step_copy_replies(step, method, &step->is) || (step->is.code != VOW_OK && !step->failure)) {
        step_free(step);
        return NULL;
    }
    return step;
}

static script_step *part_take_step(script_part *part)
{
    script_step *step = part->present;

    if (!step)
        return NULL;
    if (step->used < VOW_ALWAYS)
        step->used++;
    if (step->used >= step->is.times && step->is.times != VOW_ALWAYS)
        part->present = step->next;
    return step;
}

/* A call */

static void part_keep(script_part *part, const ProtobufCMessage *message)
{
    if (part->asked_count >= KEPT_MAX || part->script->lacks_memory)
        return;
    *part->asked_end = message_pack(message);
    if (!*part->asked_end) {
        part->script->lacks_memory = true;
        return;
    }
    part->asked_end = &(*part->asked_end)->next;
    part->asked_count++;
}

static void run_hear(script_run *run, const ProtobufCMessage *message)
{
    part_keep(run->part, message);
    if (run->came++ == 0 && run->step && run->step->request)
        run->is_wrong = !message_is(run->step->request, message);
}

/* How a call fails that is a surprise, or for which there is no memory; NULL: it goes on. */
static vow_future *run_refuse(script_run *run)
{
    const char *name = run->part->method->name;
    vow_loop   *loop = run->part->script->loop;

    if (run->part->script->lacks_memory)
        return vow_failure(loop, VOW_RESOURCE_EXHAUSTED, "%s: its script had no memory", name);
    if (!run->step) {
        run->part->script->surprises++;
        return vow_failure(loop, VOW_FAILED_PRECONDITION, "%s: its script has no step for call %zu", name,
                           run->number);
    }
    if (run->is_wrong || (run->step->request && run->came == 0)) {
        run->part->script->surprises++;
        return vow_failure(loop, VOW_INVALID_ARGUMENT,
                           "%s: call %zu asks for something else than its script says", name, run->number);
    }
    return NULL;
}

static vow_future *run_end_stream(script_run *run)
{
    const script_step *step = run->step;

    if (step->is.stalls)
        return vow_call_when_closed(run->call);
    if (step->is.code != VOW_OK)
        return vow_failure(run->part->script->loop, step->is.code, "%s", step->failure);
    vow_call_end(run->call);
    return NULL;
}

static vow_future *run_send(vow_call *call, void *arg)
{
    script_run *run = arg;
    bool        has_room = true;

    while (run->reply && has_room) {
        const vow_raw raw = VOW_RAW_INIT(run->reply->bytes, run->reply->size);

        run->reply = run->reply->next;
        has_room = vow_call_send(call, &raw.base);
        if (run->step->is.pause_ms > 0)
            return vow_sleep(run->part->script->loop, run->step->is.pause_ms);
    }
    return run->reply ? NULL : run_end_stream(run);
}

static vow_future *run_answer(script_run *run)
{
    const script_step *step = run->step;
    vow_future        *refusal = run_refuse(run);
    vow_raw            raw = VOW_RAW_INIT("", 0);

    if (refusal)
        return refusal;
    run->reply = step->replies;
    if (run->part->method->server_streams)
        return vow_call_write(run->call, run_send, run);
    if (step->is.stalls)
        return vow_call_when_closed(run->call);
    if (step->is.code != VOW_OK)
        return vow_failure(run->part->script->loop, step->is.code, "%s", step->failure);
    if (run->reply)
        raw = (vow_raw)VOW_RAW_INIT(run->reply->bytes, run->reply->size);
    vow_call_reply(run->call, &raw.base);
    return NULL;
}

static vow_future *run_go_on(vow_future *before, void *arg)
{
    (void)before;
    return run_answer(arg);
}

static vow_future *run_note(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)call;
    run_hear(arg, message);
    return NULL;
}

/* What the answer waits for; NULL: nothing. */
static vow_future *run_before(script_run *run)
{
    const vow_script_step *is = run->step ? &run->step->is : NULL;
    vow_future            *reading = NULL;

    if (run->part->method->client_streams && !(is && is->stalls))
        reading = vow_call_read(run->call, run_note, run);
    if (reading && is && is->at_once) {
        vow_detach(reading);
        reading = NULL;
    }
    if (!is || is->delay_ms <= 0)
        return reading;
    if (!reading)
        return vow_sleep(run->part->script->loop, is->delay_ms);
    return vow_all(run->part->script->loop, 2,
                   (vow_future *[]){ reading, vow_sleep(run->part->script->loop, is->delay_ms) });
}

static void run_serve(script_run *run, const ProtobufCMessage *request, const vow_handler *handler)
{
    vow_handler own = *handler;

    own.arg = run->step->is.arg;
    run->step->is.serve(run->call, request, &own);
}

static void part_serve(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    script_part *part = handler->arg;
    script_run  *run = vow_call_alloc(call, sizeof *run);
    vow_future  *before;

    part->calls++;
    if (!run)
        return;
    *run = (script_run){ .part = part, .call = call, .step = part_take_step(part), .number = part->calls };
    if (request)
        run_hear(run, request);
    if (run->step && run->step->is.serve && !run->is_wrong) {
        run_serve(run, request, handler);
        return;
    }
    before = run_before(run);
    before = before ? vow_then(before, run_go_on, run) : run_answer(run);
    if (before)
        vow_call_answer(call, before);
}

static void script_serve_unknown(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler)
{
    vow_script *script = handler->arg;

    (void)request;
    script->surprises++;
    vow_call_fail(call, VOW_UNIMPLEMENTED, "%s: the script has no steps for it", vow_call_method(call)->name);
}

/* The script */

static script_part *script_find(const vow_script *script, const vow_method *method)
{
    for (script_part *part = script->parts; part; part = part->next) {
        if (strcmp(part->method->name, method->name) == 0)
            return part;
    }
    return NULL;
}

static script_part *script_part_of(vow_script *script, const vow_method *method)
{
    script_part *part = script_find(script, method);
    vow_handler  handler = { .size = sizeof handler, .method = method, .serve = part_serve };

    if (part)
        return part;
    part = vow_service_alloc(sizeof *part);
    if (!part)
        return NULL;
    part->script = script;
    part->method = method;
    part->asked_end = &part->asked;
    part->next = script->parts;
    script->parts = part;
    handler.arg = part;
    vow_server_handle(script->server, &handler);
    return part;
}

vow_script *vow_script_open(vow_loop *loop)
{
    vow_script *script = vow_service_alloc(sizeof *script);
    vow_handler unknown = { .size = sizeof unknown, .serve = script_serve_unknown, .arg = script };

    if (!script)
        return NULL;
    script->loop = loop;
    script->server = vow_server_open(loop, NULL);
    vow_server_handle(script->server, &unknown);
    return script;
}

static void part_free(script_part *part)
{
    while (part->steps) {
        script_step *step = part->steps;

        part->steps = step->next;
        step_free(step);
    }
    messages_free(part->asked);
    vow_service_free(part);
}

void vow_script_close(vow_script *script)
{
    if (!script)
        return;
    vow_server_close(script->server);
    while (script->parts) {
        script_part *part = script->parts;

        script->parts = part->next;
        part_free(part);
    }
    vow_service_free(script);
}

vow_server *vow_script_server(vow_script *script)
{
    return script->server;
}

void vow_script_add(vow_script *script, const vow_method *method, const vow_script_step *given)
{
    script_part  *part = script_part_of(script, method);
    script_step  *step = part ? step_new(method, given) : NULL;
    script_step **end = part ? &part->steps : NULL;

    if (!step) {
        script->lacks_memory = true;
        return;
    }
    while (*end)
        end = &(*end)->next;
    *end = step;
    if (!part->present)
        part->present = step;
}

size_t vow_script_count(const vow_script *script, const vow_method *method)
{
    const script_part *part = script_find(script, method);

    return part ? part->calls : 0;
}

const ProtobufCMessage *vow_script_asked(vow_script *script, const vow_method *method, size_t index)
{
    const script_part *part = script_find(script, method);
    script_message    *message = part ? part->asked : NULL;

    while (message && index-- > 0)
        message = message->next;
    if (message && !message->unpacked)
        message->unpacked =
            protobuf_c_message_unpack(method->request, &unpack_allocator, message->size, message->bytes);
    return message ? message->unpacked : NULL;
}

size_t vow_script_surprises(const vow_script *script)
{
    return script->surprises;
}

bool vow_script_played(const vow_script *script)
{
    for (const script_part *part = script->parts; part; part = part->next) {
        for (const script_step *step = part->present; step; step = step->next) {
            if (step->is.times != VOW_ALWAYS || step->used == 0)
                return false;
        }
    }
    return script->surprises == 0 && !script->lacks_memory;
}

vow_channel *vow_channel_open_to(vow_loop *loop, vow_server *server, const vow_channel_options *options)
{
    char      address[NAME_SIZE];
    vow_error error;

    /* The server's own name: an address of memory is nobody else's. The second time it listens there already.
     */
    snprintf(address, sizeof address, "memory://server-%p", (void *)server);
    (void)vow_server_listen(server, address, &error);
    return vow_channel_open(loop, address, options);
}
