/*
 * memory://name: streams inside one loop, which copy from one end to the other.
 *
 * The idea: each end holds what the other has written, up to a bound; the reader is called from the run
 * queue, never inside the write. For tests, and for parts of one program that talk by calls.
 *
 * The rule: both ends are on one loop. Other threads are reached by tcp:// and unix://.
 */
#ifndef VOW_TRANSPORT_MEMORY_H
#define VOW_TRANSPORT_MEMORY_H

#include "runtime/transport/transport.h"

extern const vow_transport vow_transport_memory;

#endif
