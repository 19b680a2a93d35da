#include "runtime/base/pool.h"

#include "runtime/base/memory.h"
#include "runtime/base/sanitizer.h"

#include <assert.h>

/* 4 MiB of free objects serve a few thousand calls in flight without the system. */
#define KEPT_BYTES ((size_t)4 << 20)

struct vow_pool_free {
    struct vow_pool_free *next;
};

/* Objects that rest before the first of them is used again; and where the link lies in a free one. Its beginning says
 * that it is dead, to those who ask with a stale pointer: debug builds leave that as it is. */
#ifdef VOW_DEBUG
#define QUARANTINE 32

static size_t link_place(const vow_pool *pool)
{
    return (pool->object_size / sizeof(struct vow_pool_free) - 1) * sizeof(struct vow_pool_free);
}
#else
#define QUARANTINE 0

static size_t link_place(const vow_pool *pool)
{
    (void)pool;
    return 0;
}
#endif

static struct vow_pool_free *pool_link(const vow_pool *pool, void *object)
{
    return (struct vow_pool_free *)(void *)((char *)object + link_place(pool));
}

static void *pool_object(const vow_pool *pool, struct vow_pool_free *link)
{
    return (char *)link - link_place(pool);
}

void vow_pool_init(vow_pool *pool, size_t object_size)
{
    assert(object_size >= sizeof(struct vow_pool_free));
    *pool = (vow_pool){ .object_size = object_size, .kept_max = KEPT_BYTES / object_size };
}

static void *pool_shift(vow_pool *pool)
{
    struct vow_pool_free *link = pool->first;
    void                 *object = pool_object(pool, link);

    VOW_UNPOISON(object, pool->object_size);
    pool->first = link->next;
    if (!pool->first)
        pool->last = NULL;
    pool->kept--;
    return object;
}

void vow_pool_done(vow_pool *pool)
{
    assert(pool->live == 0);
    while (pool->first)
        vow_free(pool_shift(pool));
}

void *vow_pool_take(vow_pool *pool)
{
    void *object = pool->kept > QUARANTINE ? pool_shift(pool) : vow_alloc(pool->object_size);

    if (!object && pool->first)
        object = pool_shift(pool);
    if (object)
        pool->live++;
    return object;
}

static void pool_put_first(vow_pool *pool, struct vow_pool_free *link)
{
    link->next = pool->first;
    pool->first = link;
    if (!pool->last)
        pool->last = link;
}

#ifdef VOW_DEBUG
static void pool_put_last(vow_pool *pool, struct vow_pool_free *link)
{
    if (!pool->last) {
        pool_put_first(pool, link);
        return;
    }
    link->next = NULL;
    VOW_UNPOISON(pool->last, sizeof *pool->last);
    pool->last->next = link;
    VOW_POISON(pool->last, sizeof *pool->last);
    pool->last = link;
}
#define pool_put pool_put_last
#else
#define pool_put pool_put_first
#endif

void vow_pool_give(vow_pool *pool, void *object)
{
    assert(pool->live > 0);
    pool->live--;
    if (pool->kept == pool->kept_max) {
        vow_free(object);
        return;
    }
    pool_put(pool, pool_link(pool, object));
    pool->kept++;
    VOW_POISON(object, pool->object_size);
}
