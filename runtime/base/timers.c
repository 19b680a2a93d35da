#include "runtime/base/timers.h"

#include <assert.h>

#define DIGIT_BITS 6
#define DIGIT_MASK 63u
#define NS_PER_US 1000u

_Static_assert(1u << DIGIT_BITS == VOW_TIMERS_SLOTS, "a digit chooses a slot");

_Static_assert(UINT64_MAX / NS_PER_US >> (DIGIT_BITS * VOW_TIMERS_LEVELS) == 0,
               "the wheel tells all times apart");

void vow_timers_init(vow_timers *timers, uint64_t now_ns)
{
    timers->now_us = now_ns / NS_PER_US;
    timers->is_expiring = false;
    for (unsigned level = 0; level < VOW_TIMERS_LEVELS; level++) {
        timers->occupied[level] = 0;
        for (unsigned slot = 0; slot < VOW_TIMERS_SLOTS; slot++)
            vow_list_init(&timers->slots[level][slot]);
    }
}

void vow_timer_init(vow_timer *timer, void (*fire)(vow_timer *timer))
{
    vow_link_init(&timer->link);
    timer->fire = fire;
}

static unsigned digit(uint64_t us, unsigned level)
{
    return (unsigned)(us >> (DIGIT_BITS * level)) & DIGIT_MASK;
}

/* The highest digit in which the two differ. */
static unsigned level_between(uint64_t now_us, uint64_t due_us)
{
    return (63 - (unsigned)__builtin_clzll((now_us ^ due_us) | DIGIT_MASK)) / DIGIT_BITS;
}

static void timers_place(vow_timers *timers, vow_timer *timer)
{
    unsigned level = level_between(timers->now_us, timer->due_us);
    unsigned slot = digit(timer->due_us, level);

    timer->level = (uint8_t)level;
    timer->slot = (uint8_t)slot;
    vow_list_append(&timers->slots[level][slot], &timer->link);
    timers->occupied[level] |= (uint64_t)1 << slot;
}

void vow_timers_disarm(vow_timers *timers, vow_timer *timer)
{
    if (!vow_timer_armed(timer))
        return;
    vow_link_remove(&timer->link);
    if (vow_list_empty(&timers->slots[timer->level][timer->slot]))
        timers->occupied[timer->level] &= ~((uint64_t)1 << timer->slot);
}

void vow_timers_arm(vow_timers *timers, vow_timer *timer, uint64_t due_ns)
{
    /* A timer that arms itself for now must not keep vow_timers_expire going for ever. */
    uint64_t earliest = timers->now_us + (timers->is_expiring ? 1 : 0);
    uint64_t due_us = due_ns / NS_PER_US + (due_ns % NS_PER_US != 0);

    vow_timers_disarm(timers, timer);
    timer->due_us = due_us < earliest ? earliest : due_us;
    timers_place(timers, timer);
}

/* The slot to be looked at next and the moment at which it begins. Digits above a timer's level are
 * those of now, and its own is larger: the lowest occupied level comes first, and its first slot. */
static bool timers_next_slot(const vow_timers *timers, unsigned *level, unsigned *slot, uint64_t *begins_us)
{
    for (*level = 0; *level < VOW_TIMERS_LEVELS; ++*level) {
        unsigned shift = DIGIT_BITS * *level;

        if (!timers->occupied[*level])
            continue;
        *slot = (unsigned)__builtin_ctzll(timers->occupied[*level]);
        *begins_us = (timers->now_us >> shift >> DIGIT_BITS << DIGIT_BITS | *slot) << shift;
        return true;
    }
    return false;
}

static void timers_fire(vow_list *due, uint64_t now_us)
{
    vow_link *link;

    while ((link = vow_list_shift(due))) {
        vow_timer *timer = VOW_OWNER(link, vow_timer, link);

        assert(timer->due_us <= now_us);
        (void)now_us;
        timer->fire(timer);
    }
}

static void timers_move_down(vow_timers *timers, vow_list *moving)
{
    vow_link *link;

    while ((link = vow_list_shift(moving)))
        timers_place(timers, VOW_OWNER(link, vow_timer, link));
}

void vow_timers_expire(vow_timers *timers, uint64_t now_ns)
{
    uint64_t target = now_ns / NS_PER_US;
    uint64_t begins;
    unsigned level;
    unsigned slot;

    if (timers->is_expiring)
        return;
    timers->is_expiring = true;
    while (timers_next_slot(timers, &level, &slot, &begins) && begins <= target) {
        vow_list taken;

        vow_list_init(&taken);
        vow_list_splice(&taken, &timers->slots[level][slot]);
        timers->occupied[level] &= ~((uint64_t)1 << slot);
        if (begins > timers->now_us)
            timers->now_us = begins;
        if (level == 0)
            timers_fire(&taken, timers->now_us);
        else
            timers_move_down(timers, &taken);
    }
    if (target > timers->now_us)
        timers->now_us = target;
    timers->is_expiring = false;
}

uint64_t vow_timers_next_ns(const vow_timers *timers)
{
    uint64_t begins;
    unsigned level;
    unsigned slot;

    if (!timers_next_slot(timers, &level, &slot, &begins))
        return VOW_TIMERS_NEVER;
    return (begins > timers->now_us ? begins : timers->now_us) * NS_PER_US;
}
