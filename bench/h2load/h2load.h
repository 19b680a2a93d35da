/*
 * A run of h2load: what is asked of it, and what it says.
 */
#ifndef BENCH_H2LOAD_H2LOAD_H
#define BENCH_H2LOAD_H2LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct h2load_job {
    const char *uri;
    const char *body_path; /* of what is posted; NULL: the request is a GET */
    size_t      connections;
    size_t      streams;     /* outstanding on each connection */
    uint64_t    requests;    /* in all; 0: for as long as `duration_ms` */
    unsigned    duration_ms; /* where `requests` is 0 */
    pid_t       server_pid;
} h2load_job;

typedef struct h2load_report {
    double   requests_per_s;
    uint64_t succeeded;         /* HTTP status 2xx; what is in the trailers h2load does not look at */
    uint64_t client_ns;         /* processor time of h2load's own */
    uint64_t server_ns;         /* and the server's meanwhile */
    uint64_t server_anon_bytes; /* the most anonymous memory that the server was seen to have */
} h2load_report;

/* Runs h2load to its end. Fails unless every request got its answer. */
h2load_report h2load_run(const h2load_job *job);

#endif
