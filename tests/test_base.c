#include "runtime/base/arena.h"
#include "runtime/base/blocks.h"
#include "runtime/base/list.h"
#include "runtime/base/map.h"
#include "runtime/base/memory.h"
#include "runtime/base/pool.h"
#include "runtime/base/random.h"
#include "tests/support/failing.h"

#include <vow/status.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

static int count_memory(void **state)
{
    (void)state;
    failing_install(SIZE_MAX, false);
    return 0;
}

static int no_memory_is_left(void **state)
{
    (void)state;
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
    return 0;
}

/* Memory. */

static void memory_comes_from_the_programs_allocator_and_goes_back_to_it(void **state)
{
    char *memory = vow_alloc(10);

    (void)state;
    assert_int_equal(failing_outstanding(), 1);
    memory = vow_resize(memory, 1000);
    memory[999] = 'x';
    assert_int_equal(failing_outstanding(), 1);
    vow_free(memory);
    vow_free(NULL);
    assert_int_equal(failing_outstanding(), 0);
}

static void a_program_may_use_the_allocator_that_is_in_force(void **state)
{
    const vow_allocator *in_force = vow_allocator_get();
    void                *memory = in_force->alloc(10, in_force->context);

    (void)state;
    assert_int_equal(failing_outstanding(), 1);
    in_force->release(memory, in_force->context);
    assert_int_equal(failing_outstanding(), 0);
}

static void zeroed_memory_is_zero_and_the_lack_of_it_is_said(void **state)
{
    char *memory = vow_alloc_zeroed(1000);

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(memory[i], 0);
    failing_all_from_now();
    assert_null(vow_alloc(1));
    assert_null(vow_alloc_zeroed(1));
    assert_null(vow_resize(memory, 2000));
    memory[999] = 'x'; /* as it was */
    vow_free(memory);
}

/* Pools. */

#define OBJECTS 1000

static void a_pool_uses_objects_again_and_asks_for_no_more(void **state)
{
    vow_pool pool;
    void    *objects[OBJECTS];
    size_t   after_first;

    (void)state;
    vow_pool_init(&pool, 100);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            objects[i] = vow_pool_take(&pool);
            memset(objects[i], round, 100);
        }
        assert_int_equal(pool.live, OBJECTS);
        after_first = round == 0 ? failing_outstanding() : after_first;
        assert_true(failing_outstanding() <= after_first + 64);
        for (int i = 0; i < OBJECTS; i++)
            vow_pool_give(&pool, objects[i]);
        assert_int_equal(pool.live, 0);
    }
    vow_pool_done(&pool);
}

static void a_pool_keeps_no_more_than_its_bound(void **state)
{
    const size_t size = 1 << 20;
    vow_pool     pool;
    void        *objects[8];

    (void)state;
    vow_pool_init(&pool, size);
    assert_int_equal(pool.kept_max, 4);
    for (int i = 0; i < 8; i++)
        objects[i] = vow_pool_take(&pool);
    for (int i = 0; i < 8; i++)
        vow_pool_give(&pool, objects[i]);
    assert_int_equal(pool.kept, 4);
    assert_int_equal(failing_outstanding(), 4);
    vow_pool_done(&pool);
}

static void a_pool_without_memory_gives_what_it_keeps_and_then_nothing(void **state)
{
    vow_pool pool;
    void    *one;
    void    *two;

    (void)state;
    vow_pool_init(&pool, 64);
    one = vow_pool_take(&pool);
    vow_pool_give(&pool, one);
    failing_all_from_now();
    two = vow_pool_take(&pool);
    assert_ptr_equal(two, one);
    assert_null(vow_pool_take(&pool));
    assert_int_equal(pool.live, 1);
    vow_pool_give(&pool, two);
    vow_pool_done(&pool);
}

/* Blocks. */

static void a_block_is_as_large_as_asked_and_at_most_a_quarter_larger(void **state)
{
    vow_blocks blocks;

    (void)state;
    vow_blocks_init(&blocks);
    for (size_t asked = 65; asked < (size_t)100 << 20; asked = asked * 9 / 8 + 1) {
        size_t got = asked;
        void  *block = vow_blocks_take(&blocks, &got);

        assert_non_null(block);
        assert_true(got >= asked && got <= asked + asked / 4 + 1);
        vow_blocks_give(&blocks, block, got);
    }
    vow_blocks_done(&blocks);
}

static void block_sizes_meet_at_the_boundaries_of_their_classes(void **state)
{
    static const struct {
        size_t asked;
        size_t got;
    } cases[] = {
        { 0, 64 },
        { 1, 64 },
        { 64, 64 },
        { 65, 80 },
        { 112, 112 },
        { 113, 128 },
        { 1024, 1024 },
        { 1025, 1280 },
        { 1280, 1280 },
        { 1281, 1536 },
        { 1792, 1792 },
        { 1793, 2048 },
        { 2048, 2048 },
        { 2049, 2560 },
        { 32 << 20, 32 << 20 },
        { (32 << 20) + 1, (32 << 20) + 1 },
    };
    vow_blocks blocks;

    (void)state;
    vow_blocks_init(&blocks);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t size = cases[i].asked;
        void  *block = vow_blocks_take(&blocks, &size);

        assert_int_equal(size, cases[i].got);
        vow_blocks_give(&blocks, block, size);
    }
    vow_blocks_done(&blocks);
}

static void blocks_are_used_again_and_no_more_than_a_bound_is_kept(void **state)
{
    vow_blocks blocks;
    void      *taken[40];
    size_t     size = 1 << 20;
    void      *again;

    (void)state;
    vow_blocks_init(&blocks);
    for (int i = 0; i < 40; i++)
        taken[i] = vow_blocks_take(&blocks, &size);
    for (int i = 0; i < 40; i++)
        vow_blocks_give(&blocks, taken[i], size);
    assert_int_equal(blocks.kept_bytes, VOW_BLOCKS_KEPT);
    assert_int_equal(failing_outstanding(), 16);
    again = vow_blocks_take(&blocks, &size);
    assert_int_equal(failing_outstanding(), 16);
    vow_blocks_give(&blocks, again, size);
    vow_blocks_give(&blocks, NULL, size);
    size = (32 << 20) + 1;
    vow_blocks_give(&blocks, vow_blocks_take(&blocks, &size), size);
    assert_int_equal(blocks.kept_bytes, VOW_BLOCKS_KEPT);
    vow_blocks_done(&blocks);
}

/* Arenas. */

typedef struct ground {
    vow_blocks blocks;
    vow_arena  arena;
    _Alignas(VOW_ARENA_ALIGNMENT) char first[256];
} ground;

static void ground_init(ground *at, size_t cap)
{
    vow_blocks_init(&at->blocks);
    vow_arena_init(&at->arena, at->first, sizeof at->first, &at->blocks, cap);
}

static void ground_done(ground *at)
{
    vow_arena_done(&at->arena);
    vow_blocks_done(&at->blocks);
}

/* Else what was written there would lie where others are to lie. */
static void what_the_rest_of_an_arena_holds_is_where_the_next_piece_lies(void **state)
{
    ground   at;
    size_t   size;
    uint8_t *rest;

    (void)state;
    for (size_t odd = 1; odd < 2 * VOW_ARENA_ALIGNMENT; odd++) {
        ground_init(&at, 0); /* there is no more than the first memory */
        at.arena.end = (uint8_t *)at.first + odd;
        rest = vow_arena_rest(&at.arena, &size);
        assert_true(size <= odd);
        assert_true(size > odd - VOW_ARENA_ALIGNMENT || odd < VOW_ARENA_ALIGNMENT);
        assert_ptr_equal(vow_arena_alloc(&at.arena, size), rest);
        ground_done(&at);
    }
}

static void the_first_pieces_of_an_arena_take_no_memory(void **state)
{
    ground at;

    (void)state;
    ground_init(&at, 1 << 20);
    for (int i = 0; i < 16; i++)
        assert_ptr_equal(vow_arena_alloc(&at.arena, 16 - (i & 7)), at.first + (size_t)16 * (size_t)i);
    assert_int_equal(failing_outstanding(), 0);
    assert_non_null(vow_arena_alloc(&at.arena, 1));
    assert_int_equal(failing_outstanding(), 1);
    ground_done(&at);
}

static void pieces_of_an_arena_are_aligned_apart_and_stay(void **state)
{
    static unsigned char *pieces[2000];
    static size_t         sizes[2000];
    uint64_t              random = 7;
    ground                at;

    (void)state;
    ground_init(&at, (size_t)64 << 20);
    for (size_t i = 0; i < 2000; i++) {
        sizes[i] = vow_random_below(&random, i % 50 ? 200 : 20000);
        pieces[i] = vow_arena_alloc(&at.arena, sizes[i]);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % VOW_ARENA_ALIGNMENT, 0);
        memset(pieces[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < 2000; i++) {
        for (size_t at_byte = 0; at_byte < sizes[i]; at_byte++)
            assert_int_equal(pieces[i][at_byte], i % 251);
    }
    ground_done(&at);
}

static void an_arena_gives_nothing_beyond_its_cap(void **state)
{
    ground at;
    size_t given = 0;

    (void)state;
    ground_init(&at, 100000);
    assert_null(vow_arena_alloc(&at.arena, 100001));
    assert_null(vow_arena_alloc(&at.arena, SIZE_MAX));
    assert_null(vow_arena_alloc(&at.arena, SIZE_MAX - 20));
    while (vow_arena_alloc(&at.arena, 5000))
        given += 5000;
    assert_true(given >= 75000 && given <= 100000);
    while (vow_arena_alloc(&at.arena, 100))
        given += 100;
    assert_true(given <= 100000 + sizeof at.first);
    ground_done(&at);
}

static void a_large_piece_can_be_freed_by_itself_and_counts_no_more(void **state)
{
    ground at;

    (void)state;
    ground_init(&at, 100000);
    for (int i = 0; i < 100; i++) {
        void *large = vow_arena_alloc(&at.arena, 60000);
        void *small = vow_arena_alloc(&at.arena, 16);

        assert_non_null(large);
        vow_arena_free(&at.arena, small); /* stays */
        vow_arena_free(&at.arena, large);
        vow_arena_free(&at.arena, NULL);
    }
    ground_done(&at);
}

static void an_arena_without_memory_says_so(void **state)
{
    ground at;

    (void)state;
    ground_init(&at, 100000);
    failing_all_from_now();
    assert_non_null(vow_arena_alloc(&at.arena, 256));
    assert_null(vow_arena_alloc(&at.arena, 16));
    assert_null(vow_arena_alloc(&at.arena, 5000));
    ground_done(&at);
}

/* Lists. */

typedef struct item {
    vow_link link;
    char     name;
} item;

static const char *list_names(const vow_list *list)
{
    static char names[16];
    size_t      count = 0;

    for (vow_link *link = list->head.next; link != &list->head; link = link->next)
        names[count++] = VOW_OWNER(link, item, link)->name;
    names[count] = '\0';
    return names;
}

static void a_list_keeps_the_order_in_which_it_was_made(void **state)
{
    item     items[4] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' }, { .name = 'd' } };
    vow_list list;
    vow_list other;

    (void)state;
    vow_list_init(&list);
    vow_list_init(&other);
    assert_null(vow_list_first(&list));
    assert_null(vow_list_shift(&list));
    vow_list_append(&list, &items[1].link);
    vow_list_append(&list, &items[2].link);
    vow_list_prepend(&list, &items[0].link);
    assert_string_equal(list_names(&list), "abc");
    vow_link_remove(&items[1].link);
    assert_false(vow_link_listed(&items[1].link));
    vow_link_remove(&items[1].link);
    assert_string_equal(list_names(&list), "ac");
    vow_list_append(&other, &items[3].link);
    vow_list_append(&other, &items[1].link);
    vow_list_splice(&list, &other);
    assert_true(vow_list_empty(&other));
    vow_list_splice(&list, &other);
    assert_string_equal(list_names(&list), "acdb");
    assert_ptr_equal(vow_list_shift(&list), &items[0].link);
    assert_string_equal(list_names(&list), "cdb");
}

/* Maps. */

#define KEYS 5000

typedef struct keyed {
    vow_map_node node;
    bool         inside;
} keyed;

static void map_agrees(vow_map *map, const keyed *all, uint64_t spread)
{
    size_t count = 0;

    for (uint64_t key = 0; key < KEYS; key++) {
        const vow_map_node *found = vow_map_find(map, key * spread);

        assert_ptr_equal(found, all[key].inside ? &all[key].node : NULL);
        count += all[key].inside;
    }
    assert_int_equal(map->count, count);
    assert_int_equal(vow_map_any(map) != NULL, count != 0);
}

static void a_map_agrees_with_a_table(uint64_t seed, uint64_t spread, bool grows)
{
    static keyed all[KEYS];
    uint64_t     random = seed;
    vow_map      map;

    vow_map_init(&map);
    memset(all, 0, sizeof all);
    if (!grows)
        failing_all_from_now();
    for (int step = 0; step < 4 * KEYS; step++) {
        uint64_t key = vow_random_below(&random, KEYS);

        if (all[key].inside) {
            vow_map_remove(&map, &all[key].node);
        } else {
            all[key].node.key = key * spread;
            vow_map_insert(&map, &all[key].node);
        }
        all[key].inside = !all[key].inside;
    }
    map_agrees(&map, all, spread);
    vow_map_done(&map);
    failing_stop();
}

static void a_map_finds_what_is_inside_and_nothing_else_whatever_the_keys(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        a_map_agrees_with_a_table(seed, 1, true);
        a_map_agrees_with_a_table(seed, 0x9e3779b97f4a7c15u, true);
    }
    a_map_agrees_with_a_table(1, 64, true);
}

static void a_map_without_memory_for_a_larger_table_still_takes_everything(void **state)
{
    (void)state;
    a_map_agrees_with_a_table(1, 1, false);
}

/* Random numbers. */

static void the_same_seed_gives_the_same_numbers_and_another_does_not(void **state)
{
    uint64_t one = 5;
    uint64_t same = 5;
    uint64_t other = 6;

    (void)state;
    for (int i = 0; i < 100; i++) {
        uint64_t number = vow_random_next(&one);

        assert_true(number == vow_random_next(&same));
        assert_true(number != vow_random_next(&other));
    }
}

static void numbers_below_a_bound_reach_every_one_of_them(void **state)
{
    uint64_t random = 1;
    unsigned seen[7] = { 0 };

    (void)state;
    for (int i = 0; i < 7000; i++)
        seen[vow_random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(seen[i], 850, 1150);
    assert_int_equal(vow_random_below(&random, 1), 0);
}

static void jitter_spreads_evenly_and_not_beyond(void **state)
{
    uint64_t random = 1;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t value = vow_random_jitter(&random, 1000, 20);

        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    assert_int_equal(least, 800);
    assert_int_equal(most, 1200);
    assert_int_equal(vow_random_jitter(&random, 0, 20), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, count_memory, no_memory_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(memory_comes_from_the_programs_allocator_and_goes_back_to_it),
        TEST(a_program_may_use_the_allocator_that_is_in_force),
        TEST(zeroed_memory_is_zero_and_the_lack_of_it_is_said),
        TEST(a_pool_uses_objects_again_and_asks_for_no_more),
        TEST(a_pool_keeps_no_more_than_its_bound),
        TEST(a_pool_without_memory_gives_what_it_keeps_and_then_nothing),
        TEST(a_block_is_as_large_as_asked_and_at_most_a_quarter_larger),
        TEST(block_sizes_meet_at_the_boundaries_of_their_classes),
        TEST(blocks_are_used_again_and_no_more_than_a_bound_is_kept),
        TEST(the_first_pieces_of_an_arena_take_no_memory),
        TEST(what_the_rest_of_an_arena_holds_is_where_the_next_piece_lies),
        TEST(pieces_of_an_arena_are_aligned_apart_and_stay),
        TEST(an_arena_gives_nothing_beyond_its_cap),
        TEST(a_large_piece_can_be_freed_by_itself_and_counts_no_more),
        TEST(an_arena_without_memory_says_so),
        TEST(a_list_keeps_the_order_in_which_it_was_made),
        TEST(a_map_finds_what_is_inside_and_nothing_else_whatever_the_keys),
        TEST(a_map_without_memory_for_a_larger_table_still_takes_everything),
        TEST(the_same_seed_gives_the_same_numbers_and_another_does_not),
        TEST(numbers_below_a_bound_reach_every_one_of_them),
        TEST(jitter_spreads_evenly_and_not_beyond),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
