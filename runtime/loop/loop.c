#include "runtime/loop/loop.h"

#include "runtime/base/memory.h"

#include <assert.h>

vow_code vow_loop_init(vow_loop *loop, const vow_loop_kind *kind, uint64_t random)
{
    vow_code code = vow_scheduler_init(&loop->scheduler, &kind->scheduler, random);

    vow_list_init(&loop->closers);
    loop->objects = 0;
    loop->missing = (vow_anchor){ .loop = loop, .is_missing = true };
    vow_list_init(&loop->memory_listeners);
    loop->heard = NULL;
    loop->read_block = NULL;
    loop->cipher_block = NULL;
    loop->codec = NULL;
    loop->refusals = 0;
    loop->acceptor = NULL;
    loop->network = NULL;
    loop->network_free = NULL;
    return code;
}

void vow_loop_done(vow_loop *loop)
{
    if (loop->network)
        loop->network_free(loop->network);
    if (loop->codec)
        loop->codec_free(loop->codec);
    vow_free(loop->read_block);
    vow_free(loop->cipher_block);
    vow_scheduler_done(&loop->scheduler);
}

uint8_t *vow_loop_read_block(vow_loop *loop)
{
    if (!loop->read_block)
        loop->read_block = vow_alloc(VOW_READ_BLOCK);
    return loop->read_block;
}

uint8_t *vow_loop_cipher_block(vow_loop *loop)
{
    if (!loop->cipher_block)
        loop->cipher_block = vow_alloc(VOW_CIPHER_BLOCK);
    return loop->cipher_block;
}

bool vow_loop_is_quiet(const vow_loop *loop)
{
    const vow_scheduler *scheduler = &loop->scheduler;
    size_t               kept = scheduler->delivery ? 1 : 0; /* a block that is nobody's */

    return loop->objects == 0 && scheduler->depth == 0 && scheduler->holds == 0 && scheduler->futures.live == 0 &&
           scheduler->calls.live == 0 && scheduler->blocks.live == kept && !vow_scheduler_has_tasks(scheduler);
}

void vow_loop_on_close(vow_loop *loop, vow_closer *closer, void (*close)(vow_closer *closer))
{
    closer->close = close;
    vow_list_append(&loop->closers, &closer->link);
}

void vow_loop_object_gone(vow_loop *loop)
{
    assert(loop->objects > 0);
    loop->objects--;
    if (vow_loop_closing(loop))
        loop->scheduler.kind->idle(&loop->scheduler);
}

void vow_loop_close(vow_loop *loop)
{
    vow_scheduler *scheduler = &loop->scheduler;
    vow_link      *link;

    VOW_RULE_THREAD(scheduler);
    VOW_RULE(!vow_loop_closing(loop), "a loop is closed once");
    if (vow_loop_closing(loop))
        return;
    scheduler->is_closing = true;
    vow_scheduler_enter(scheduler);
    while ((link = vow_list_shift(&loop->closers))) {
        vow_closer *closer = VOW_OWNER(link, vow_closer, link);

        closer->close(closer);
    }
    vow_futures_cancel_all(scheduler);
    vow_scheduler_leave(scheduler);
    vow_loop_kind_of(loop)->close(loop);
}

uint64_t vow_loop_now_ns(const vow_loop *loop)
{
    return vow_scheduler_now_ns(vow_scheduler_of(loop));
}

void vow_loop_hold(vow_loop *loop)
{
    VOW_RULE_THREAD(&loop->scheduler);
    vow_scheduler_hold(&loop->scheduler);
}

void vow_loop_release(vow_loop *loop)
{
    VOW_RULE_THREAD(&loop->scheduler);
    VOW_RULE(loop->scheduler.holds > 0, "vow_loop_release ends a vow_loop_hold; there is none left");
    vow_scheduler_release(&loop->scheduler);
}

vow_code vow_loop_post(vow_loop *loop, void (*run)(void *arg), void *arg)
{
    return vow_loop_kind_of(loop)->post(loop, run, arg);
}
