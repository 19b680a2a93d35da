#include "tests/support/failing.h"

#include <vow/status.h>

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#define LIVES_MAX 3000

static atomic_size_t asked;
static atomic_size_t outstanding;
static atomic_bool   failed;
static size_t        fail_at;
static bool          fail_on;
static bool          stopped;

static bool must_fail(void)
{
    size_t number = atomic_fetch_add(&asked, 1);
    bool   fails = !stopped && (fail_on ? number >= fail_at : number == fail_at);

    if (fails)
        atomic_store(&failed, true);
    return fails;
}

static void *failing_alloc(size_t size, void *context)
{
    void *memory = must_fail() ? NULL : malloc(size);

    (void)context;
    if (memory)
        atomic_fetch_add(&outstanding, 1);
    return memory;
}

static void *failing_resize(void *memory, size_t size, void *context)
{
    void *resized = must_fail() ? NULL : realloc(memory, size);

    (void)context;
    if (resized && !memory)
        atomic_fetch_add(&outstanding, 1);
    return resized;
}

static void failing_release(void *memory, void *context)
{
    (void)context;
    if (memory)
        atomic_fetch_sub(&outstanding, 1);
    free(memory);
}

void failing_fail_at(size_t nth, bool from_then_on)
{
    atomic_store(&asked, 0);
    atomic_store(&failed, false);
    fail_at = nth;
    fail_on = from_then_on;
    stopped = false;
}

void failing_install(size_t nth, bool from_then_on)
{
    static const vow_allocator allocator = { failing_alloc, failing_resize, failing_release, NULL };

    atomic_store(&outstanding, 0);
    failing_fail_at(nth, from_then_on);
    vow_allocator_set(&allocator);
}

void failing_stop(void)
{
    stopped = true;
}

void failing_all_from_now(void)
{
    fail_at = 0;
    fail_on = true;
    stopped = false;
}

bool failing_has_failed(void)
{
    return atomic_load(&failed);
}

size_t failing_asked(void)
{
    return atomic_load(&asked);
}

size_t failing_outstanding(void)
{
    return atomic_load(&outstanding);
}

void failing_remove(void)
{
    vow_allocator_set(NULL);
}

bool failing_each(failing_life *live, bool from_then_on, size_t least)
{
    size_t nth = 0;

    while (nth < LIVES_MAX && live(nth, from_then_on))
        nth++;
    return nth >= least && nth < LIVES_MAX;
}
