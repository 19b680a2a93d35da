/*
 * The inside of metrics: series, and where they stand.
 *
 * The idea: a series is never removed or moved, and the list of them only grows at its end, which is told
 * last. So a reader on another thread needs no lock.
 */
#ifndef VOW_SERVICE_METRICS_H
#define VOW_SERVICE_METRICS_H

#include "runtime/service/histogram.h"

#include <vow/metrics.h>

#define VOW_CODES (VOW_UNAUTHENTICATED + 1)
#define VOW_METRICS_NAME_MAX 256 /* bytes of a method's name that has a series */

struct vow_metrics_series {
    vow_metrics_series *next; /* with the same place in the table; the counting thread's */
    uint64_t            hash;
    bool                is_served;
    bool                is_made_up; /* the name may be the peer's invention */
    _Atomic uint64_t    started;
    _Atomic uint64_t    ended[VOW_CODES];
    _Atomic uint64_t    sent_count;
    _Atomic uint64_t    sent_bytes;
    _Atomic uint64_t    received_count;
    _Atomic uint64_t    received_bytes;
    vow_histogram       durations;
    char                method[];
};

#endif
