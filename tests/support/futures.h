/*
 * A stage for tests of futures: a loop, and a diary of what happened on it.
 *
 * The idea: a test makes futures, lets the stage run, and compares the diary, one word for each event,
 * with the story it expects. When the stage closes, no memory of vow's may be left.
 */
#ifndef VOW_TESTS_FUTURES_H
#define VOW_TESTS_FUTURES_H

#include <vow/future.h>

#include <uv.h>

struct stage {
    uv_loop_t *uv; /* NULL: simulated */
    vow_loop  *loop;
};

/* For cmocka: setup and teardown. */
int stage_open(void **state);
int stage_open_simulated(void **state);
int stage_close(void **state);

/* The same for tests that end it themselves. */
struct stage *stage_new(bool simulated);
void          stage_free(struct stage *stage);
void stage_close_loop(struct stage *stage); /* and lets what follows happen; stage_free does it otherwise */

/* Runs all there is to run, without letting time pass on a simulated loop. */
void stage_run(struct stage *stage);

/* Only on a simulated loop. */
void stage_advance_ms(struct stage *stage, int64_t ms);

/* A future that is pending until `promise` is resolved. */
vow_future *stage_promise(struct stage *stage, vow_promise **promise);

/* Writes a word into the diary, with a space before all but the first. */
void diary_write(const char *format, ...) VOW_PRINTF(1, 2);

/* What was written since it was read last. */
const char *diary_read(void);

/* For vow_done and vow_finally: writes `arg`, a word, and the outcome: "a:OK". */
void diary_done(vow_future *settled, void *arg);

/* For vow_attach and values: writes "-" and the word `arg`. */
void diary_release(void *arg);

/* For vow_then, vow_recover and vow_either: writes the word `arg`, gives NULL. */
vow_future *diary_then(vow_future *settled, void *arg);

/* A word as a callback's argument. */
static inline void *word(const char *text)
{
    return (void *)(uintptr_t)text;
}

/* Runs `body(arg)` on a thread whose stack is too small for anything that recurses. */
void with_little_stack(void (*body)(void *arg), void *arg);

#endif
