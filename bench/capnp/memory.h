/*
 * What Cap'n Proto's programs set of malloc.
 *
 * Each message is memory of its own, taken and given back. Beyond some size malloc gives it back to the
 * system at once, and taking it again is a page fault for every 4 KiB: at 1 MiB this doubled the processor
 * time of a call.
 */
#ifndef BENCH_CAPNP_MEMORY_H
#define BENCH_CAPNP_MEMORY_H

#include <malloc.h>

inline void keepFreedMemory()
{
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the most it takes */
    mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

#endif
