#include "tools/vow-load/requests.h"

#include <inttypes.h>

#define FIELD_SIZE 128

void load_requests_of_bytes(load_requests *requests, const void *message, size_t size)
{
    *requests = (load_requests){ .json = NULL };
    load_buffer_add(&requests->constant, message, size);
}

/* With the place in the template, where that is known. */
static bool requests_encode(const load_requests *requests, uint64_t index, load_request *scratch,
                            load_problem *problem)
{
    char         field[FIELD_SIZE];
    size_t       line, column;
    load_problem why;

    load_template_expand(requests->json, requests->seed, index, &scratch->json);
    if (load_method_encode(&requests->method, scratch->json.data, &scratch->message, field, sizeof field,
                           &why))
        return true;
    if (field[0] && load_template_find(requests->json, field, &line, &column))
        return load_problem_set(problem, "the template, line %zu, column %zu: %s", line, column, why.text);
    return load_problem_set(problem, "the template makes no %s in request %" PRIu64 ": %s",
                            requests->method.request, index, why.text);
}

bool load_requests_of_json(load_requests *requests, const char *text, const load_method *method,
                           uint64_t seed, load_problem *problem)
{
    load_request scratch = { { NULL, 0, 0 }, { NULL, 0, 0 } };
    bool         is_good;

    *requests = (load_requests){ .method = *method, .seed = seed };
    requests->json = load_template_parse(text, problem);
    if (!requests->json)
        return false;
    is_good = requests_encode(requests, 0, &scratch, problem);
    if (!is_good || load_template_is_constant(requests->json)) {
        load_template_free(requests->json);
        requests->json = NULL;
    }
    if (is_good && !requests->json)
        load_buffer_add(&requests->constant, scratch.message.data, scratch.message.size);
    load_request_done(&scratch);
    return is_good;
}

void load_requests_done(load_requests *requests)
{
    load_buffer_free(&requests->constant);
    load_template_free(requests->json);
    requests->json = NULL;
}

const load_buffer *load_requests_get(const load_requests *requests, uint64_t index, load_request *scratch,
                                     load_problem *problem)
{
    if (!requests->json)
        return &requests->constant;
    return requests_encode(requests, index, scratch, problem) ? &scratch->message : NULL;
}

void load_request_done(load_request *scratch)
{
    load_buffer_free(&scratch->json);
    load_buffer_free(&scratch->message);
}
