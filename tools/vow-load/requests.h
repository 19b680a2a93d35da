/*
 * The requests of a run: request number n as packed bytes, always the same for the same n and seed.
 */
#ifndef VOW_LOAD_REQUESTS_H
#define VOW_LOAD_REQUESTS_H

#include "tools/vow-load/buffer.h"
#include "tools/vow-load/schema.h"
#include "tools/vow-load/template.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero: empty messages. */
typedef struct load_requests {
    load_buffer    constant; /* where all are alike */
    load_template *json;     /* where they differ, and what makes messages of it */
    load_method    method;
    uint64_t       seed;
} load_requests;

/* What one thread needs to make them. All zero at first; load_request_done frees it. */
typedef struct load_request {
    load_buffer json;
    load_buffer message;
} load_request;

/* All are `message`, which is copied. */
void load_requests_of_bytes(load_requests *requests, const void *message, size_t size);

/*
 * They are made from a template. Encodes the first one, so that a mistake in it is found before the run.
 *
 * Owns    borrows `text`; the schema behind `method` must outlive the requests.
 */
bool load_requests_of_json(load_requests *requests, const char *text, const load_method *method,
                           uint64_t seed, load_problem *problem);

void load_requests_done(load_requests *requests);

/* Request `index`, lent until the next call with `scratch`; NULL: `problem` says why there is none. */
const load_buffer *load_requests_get(const load_requests *requests, uint64_t index, load_request *scratch,
                                     load_problem *problem);

void load_request_done(load_request *scratch);

#endif
