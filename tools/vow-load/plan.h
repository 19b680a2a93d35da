/*
 * What is to be run: everything that options, schema and trial call have settled. All pointers are lent for
 * the run.
 */
#ifndef VOW_LOAD_PLAN_H
#define VOW_LOAD_PLAN_H

#include "tools/vow-load/requests.h"
#include "tools/vow-load/schedule.h"

#include <vow/vow.h>

typedef struct load_plan {
    const char            *target;
    const vow_tls_options *tls;
    const vow_method      *method;
    const vow_metadata    *metadata;
    const load_requests   *requests;
    uint64_t               first_request;
    int64_t                timeout_ms; /* of a call; or VOW_NO_TIMEOUT */
    uint64_t               connect_ns; /* for all connections to come about */
    uint64_t      give_up_ns;  /* of nothing but VOW_UNAVAILABLE, until the server is taken to have gone */
    size_t        outstanding; /* in all */
    size_t        connections; /* in all; at least one for each thread, and no more than `outstanding` */
    size_t        threads;
    bool          spins; /* see load_pacer_open */
    load_schedule schedule;
} load_plan;

/* A channel as the plan has it, for one connection. */
vow_channel *load_plan_channel(const load_plan *plan, vow_loop *loop);

#endif
