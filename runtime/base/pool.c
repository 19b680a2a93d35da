#include "runtime/base/pool.h"

#include "runtime/base/memory.h"
#include "runtime/base/sanitizer.h"

#include <assert.h>

/* 4 MiB of free objects serve a few thousand calls in flight without the system. */
#define KEPT_BYTES ((size_t)4 << 20)

/* Objects that rest before the first of them is used again. */
#ifdef VOW_DEBUG
#define QUARANTINE 32
#else
#define QUARANTINE 0
#endif

struct vow_pool_free {
    struct vow_pool_free *next;
};

void vow_pool_init(vow_pool *pool, size_t object_size)
{
    assert(object_size >= sizeof(struct vow_pool_free));
    *pool = (vow_pool){ .object_size = object_size, .kept_max = KEPT_BYTES / object_size };
}

static void *pool_shift(vow_pool *pool)
{
    struct vow_pool_free *object = pool->first;

    VOW_UNPOISON(object, pool->object_size);
    pool->first = object->next;
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

static void pool_put_first(vow_pool *pool, struct vow_pool_free *object)
{
    object->next = pool->first;
    pool->first = object;
    if (!pool->last)
        pool->last = object;
}

#ifdef VOW_DEBUG
static void pool_put_last(vow_pool *pool, struct vow_pool_free *object)
{
    if (!pool->last) {
        pool_put_first(pool, object);
        return;
    }
    object->next = NULL;
    VOW_UNPOISON(pool->last, sizeof *pool->last);
    pool->last->next = object;
    VOW_POISON(pool->last, sizeof *pool->last);
    pool->last = object;
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
    pool_put(pool, object);
    pool->kept++;
    VOW_POISON(object, pool->object_size);
}
