#include "tools/vow-load/scout.h"

#include "tools/vow-load/buffer.h"
#include "tools/vow-load/reflection.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define DATA_MAX ((size_t)1 << 30)
#define TEMPLATE_MAX ((size_t)64 << 20)

struct load_scout {
    const load_plan *plan;
    uv_loop_t        uv;
    vow_loop        *loop;
    vow_channel     *channel;
};

load_scout *load_scout_open(const load_plan *plan)
{
    load_scout *scout = load_alloc(1, sizeof *scout);

    scout->plan = plan;
    uv_loop_init(&scout->uv);
    scout->loop = vow_loop_attach(&scout->uv);
    if (!scout->loop) {
        uv_loop_close(&scout->uv);
        free(scout);
        return NULL;
    }
    scout->channel = load_plan_channel(plan, scout->loop);
    return scout;
}

void load_scout_close(load_scout *scout)
{
    vow_channel_close(scout->channel);
    vow_loop_close(scout->loop);
    uv_run(&scout->uv, UV_RUN_DEFAULT);
    uv_loop_close(&scout->uv);
    free(scout);
}

/* Requests */

static load_status scout_ask_schema(load_scout *scout, load_schema **schema, load_problem *problem)
{
    const char  *name = scout->plan->method->name;
    char        *service = load_copy(name, strcspn(name, "/"));
    load_problem why;

    *schema =
        load_reflection_ask(scout->channel, service, scout->plan->metadata, scout->plan->timeout_ms, &why);
    if (!*schema)
        load_problem_set(problem, "%s: what %s looks like could not be asked: %s", scout->plan->target,
                         service, why.text);
    free(service);
    return *schema ? LOAD_WELL : LOAD_NOTHING;
}

/* Of files, or of the server where there is JSON to be understood. LOAD_WELL without a schema: none is
 * needed. */
static load_status scout_find_schema(load_scout *scout, const load_options *options, load_schema **schema,
                                     load_problem *problem)
{
    *schema = NULL;
    if (options->proto_file)
        *schema = load_schema_of_proto(options->proto_file, options->folders, problem);
    else if (options->descriptors_file)
        *schema = load_schema_of_set(options->descriptors_file, problem);
    else if (options->json)
        return scout_ask_schema(scout, schema, problem);
    else
        return LOAD_WELL;
    return *schema ? LOAD_WELL : LOAD_USAGE;
}

static bool scout_use_data(const load_options *options, load_requests *requests, load_problem *problem)
{
    load_buffer data = { NULL, 0, 0 };
    bool        is_read = load_buffer_read(&data, options->data_file, DATA_MAX, problem);

    if (is_read)
        load_requests_of_bytes(requests, data.data, data.size);
    load_buffer_free(&data);
    return is_read;
}

/* A text that begins with a brace is no file's name. */
static bool scout_use_json(const load_options *options, const load_method *method, load_requests *requests,
                           load_problem *problem)
{
    const char *text = options->json;
    load_buffer data = { NULL, 0, 0 };
    bool        is_good = true;

    while (isspace((unsigned char)*text))
        text++;
    if (*text != '{') {
        is_good = load_buffer_read(&data, options->json, TEMPLATE_MAX, problem);
        text = data.data ? data.data : "";
    } else {
        text = options->json;
    }
    is_good = is_good && load_requests_of_json(requests, text, method, options->seed, problem);
    load_buffer_free(&data);
    return is_good;
}

load_status load_scout_requests(load_scout *scout, const load_options *options, load_requests *requests,
                                vow_method *method, load_schema **schema, load_problem *problem)
{
    load_method found = { NULL, NULL, NULL, false, false };
    load_status status = scout_find_schema(scout, options, schema, problem);
    bool        is_asked = !options->proto_file && !options->descriptors_file;

    if (status != LOAD_WELL)
        return status;
    if (*schema && !load_schema_find(*schema, options->method, &found, problem))
        return is_asked ? LOAD_NOTHING : LOAD_USAGE;
    method->client_streams = found.client_streams;
    method->server_streams = found.server_streams;
    if (options->data_file && !scout_use_data(options, requests, problem))
        return LOAD_USAGE;
    if (options->json && !scout_use_json(options, &found, requests, problem))
        return LOAD_USAGE;
    return LOAD_WELL;
}

/* The first call */

/* A target that makes no sense fails as a request can that makes none; its channel never becomes ready. */
static bool scout_target_is_wrong(load_scout *scout)
{
    vow_future *ready = vow_channel_ready(scout->channel);
    bool        is_wrong = vow_wait(ready) == VOW_INVALID_ARGUMENT;

    vow_drop(ready);
    return is_wrong;
}

static bool scout_is_useless(load_scout *scout, vow_code code)
{
    return code == VOW_UNAVAILABLE || code == VOW_UNIMPLEMENTED ||
           (code == VOW_INVALID_ARGUMENT && scout_target_is_wrong(scout));
}

static vow_future *scout_answer(vow_call *call, const ProtobufCMessage *message, void *arg)
{
    (void)call;
    (void)message;
    (void)arg;
    return NULL;
}

/* Also of a method that streams: it is over with its last answer. `*call` is to be dropped after the future.
 */
static vow_future *scout_send(load_scout *scout, const ProtobufCMessage *request, vow_call **call)
{
    const load_plan        *plan = scout->plan;
    const vow_call_options *options = VOW_CALL(.timeout_ms = plan->timeout_ms, .metadata = plan->metadata);

    *call = NULL;
    if (!plan->method->client_streams && !plan->method->server_streams)
        return vow_call_unary(scout->channel, plan->method, request, options);
    *call = vow_call_start(scout->channel, plan->method, options);
    vow_call_send(*call, request);
    vow_call_end(*call);
    return vow_call_read(*call, scout_answer, NULL);
}

load_status load_scout_call(load_scout *scout, double *seconds, load_problem *problem)
{
    const load_plan   *plan = scout->plan;
    load_request       scratch = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    const load_buffer *message = load_requests_get(plan->requests, 0, &scratch, problem);
    load_status        status = LOAD_WELL;
    uint64_t           began_ns = uv_hrtime();
    vow_raw            raw;
    vow_future        *reply;
    vow_call          *call;

    if (!message)
        return LOAD_USAGE;
    raw = (vow_raw)VOW_RAW_INIT(message->data, message->size);
    reply = scout_send(scout, &raw.base, &call);
    problem->text[0] = '\0';
    if (vow_wait(reply) != VOW_OK) {
        load_problem_set(problem, "%s", vow_future_error(reply));
        status = scout_is_useless(scout, vow_future_code(reply)) ? LOAD_NOTHING : LOAD_WELL;
    }
    *seconds = (double)(uv_hrtime() - began_ns) / 1e9;
    vow_drop(reply);
    vow_call_drop(call);
    load_request_done(&scratch);
    return status;
}
