/*
 * The service of a storm: handlers that answer in every way there is, and the account that they keep.
 *
 * The idea: every request names its call, and what both sides send follows from that name. So a handler knows
 * whether what it got is what was sent, and a caller whether what it got is its own.
 */
#ifndef VOW_TESTS_STORM_SERVICE_H
#define VOW_TESTS_STORM_SERVICE_H

#include "calls.vow.h"

#include <vow/vow.h>

#define STORM_TEXT_MAX  3000
#define STORM_BLOCK_MAX ((size_t)400 << 10)
#define STORM_CALLS_MAX 400

/* A child call has its parent's number and this. */
#define STORM_CHILD STORM_CALLS_MAX

typedef struct storm_service {
    vow_loop    *loop;
    vow_channel *children; /* where handlers ask others; NULL: nowhere */
    uint64_t     random;
    uint8_t      runs[2 * STORM_CALLS_MAX]; /* how often each call's handler ran, children after the rest */
    size_t       sizes[STORM_CALLS_MAX];    /* of the text or block of each call */
    uint64_t     ran;
    uint64_t     held;   /* calls that were lent to a handler */
    uint64_t     let_go; /* and given back */
    uint64_t     jobs;   /* of vow_work, not freed yet */
    void (*fail)(void *owner, const char *what, size_t call);
    void (*tell)(void *owner, const char *what, size_t call);
    void *owner;
} storm_service;

/* The text of call `number`, `size` bytes long or a little more, as in "17:xyz". */
void storm_text(char *text, size_t number, size_t size);

/* The bytes of its block; the first 4 are the number. */
void storm_block(uint8_t *bytes, size_t number, size_t size);

void storm_serve(vow_server *server, storm_service *service);

#endif
