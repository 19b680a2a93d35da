/*
 * The timer queue: everything on a loop that waits for a moment.
 *
 * The idea: a hierarchical timing wheel (Varghese and Lauck, 1987) whose timers lie inside their
 * owners. Time is cut into microseconds; level n has 64 slots of 64^n microseconds each:
 *
 *     level 0   [....x..........x.....]   64 slots of 1 us
 *     level 1   [.......x.............]   64 slots of 64 us
 *     ...
 *     level 9   [.x...................]   64 slots of 571 years: no 64-bit nanosecond lies beyond
 *
 * A timer stands on the level of the highest digit (base 64) in which its due time differs from
 * now, and moves down when now reaches its slot. Arming and disarming are a list insertion each,
 * whatever else is armed: most deadlines of calls are disarmed long before they are due, and never
 * move. A heap would pay for its order at each of them.
 *
 * On the loop's thread only. An armed timer is lent to the queue: its owner disarms it before it
 * goes away. Timers due in the same microsecond fire in the order in which they were armed.
 */
#ifndef VOW_BASE_TIMERS_H
#define VOW_BASE_TIMERS_H

#include "runtime/base/list.h"

#include <stdint.h>

#define VOW_TIMERS_LEVELS 10
#define VOW_TIMERS_SLOTS 64

typedef struct vow_timer {
    vow_link link;
    void (*fire)(struct vow_timer *timer);
    uint64_t due_us;
    uint8_t  level;
    uint8_t  slot;
} vow_timer;

typedef struct vow_timers {
    uint64_t now_us;
    uint64_t occupied[VOW_TIMERS_LEVELS]; /* a bit for each slot that holds a timer */
    bool     is_expiring;
    vow_list slots[VOW_TIMERS_LEVELS][VOW_TIMERS_SLOTS];
} vow_timers;

#define VOW_TIMERS_NEVER UINT64_MAX

void vow_timers_init(vow_timers *timers, uint64_t now_ns);

/* Must come before the timer is armed for the first time. */
void vow_timer_init(vow_timer *timer, void (*fire)(vow_timer *timer));

static inline bool vow_timer_armed(const vow_timer *timer)
{
    return vow_link_listed(&timer->link);
}

/* Fires `timer` at `due_ns`, rounded up to a microsecond; moves it there if it is armed already.
 * What is due already fires at the next vow_timers_expire, not here. */
void vow_timers_arm(vow_timers *timers, vow_timer *timer, uint64_t due_ns);

/* Does nothing to a timer that is not armed. */
void vow_timers_disarm(vow_timers *timers, vow_timer *timer);

/* Fires all that is due at `now_ns`, in order. */
void vow_timers_expire(vow_timers *timers, uint64_t now_ns);

/* When vow_timers_expire is needed next: no later than the first timer is due; VOW_TIMERS_NEVER when none is
 * armed. */
uint64_t vow_timers_next_ns(const vow_timers *timers);

#endif
