/*
 * What debug builds know of futures: where each was made, whether anybody ever used it, and the rules of
 * handles, which a program can break unseen.
 */
#include "runtime/future/future.h"

#ifdef VOW_DEBUG

void vow_trace_begin(vow_future *future)
{
    future->made_by = NULL;
    future->consumed = false;
    vow_list_append(&future->scheduler->all_futures, &future->all);
}

void vow_trace_end(vow_future *future)
{
    vow_link_remove(&future->all);
}

static void report_unused(const vow_future *future)
{
    char place[256];

    vow_report("a future (%s), made in %s, was never waited for, dropped, cancelled or detached",
               future->class->name,
               future->made_by ? vow_place_name(future->made_by, place, sizeof place) : "an unknown place");
}

void vow_trace_report_unused(vow_scheduler *scheduler)
{
    for (vow_link *link = scheduler->all_futures.head.next; link != &scheduler->all_futures.head;
         link = link->next) {
        vow_future *future = VOW_OWNER(link, vow_future, all);

        if (!future->consumed && future->owned > 0)
            report_unused(future);
    }
}

void vow_rule_alive(const vow_future *future, const char *function)
{
    if (future->state == VOW_FUTURE_DEAD)
        vow_rule_broken_by(function, "the future has ended: its last handle was dropped or taken over before",
                           future->made_by);
    if (!future->scheduler->kind->on_thread(future->scheduler))
        vow_rule_broken_by(function, "a future is touched on its loop's own thread; see vow_loop_post",
                           future->made_by);
}

void vow_rule_handle(const vow_future *future, const char *function)
{
    vow_rule_alive(future, function);
    if (future->owned == 0)
        vow_rule_broken_by(
            function,
            "a handle of a future is used once: this one was dropped, or taken over, or is only "
            "lent; vow_future_ref gives another",
            future->made_by);
}

void vow_rule_readable(const vow_future *future, const char *function)
{
    vow_rule_alive(future, function);
    if (future->owned == 0 && !future->lent && !future->is_part)
        vow_rule_broken_by(
            function, "only a future whose handle you hold, or that is lent to this callback, can be read",
            future->made_by);
}

#else
typedef int trace_is_for_debug_builds; /* an empty file is not C */
#endif
