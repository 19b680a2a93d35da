#include "tests/support/futures.h"

#include "tests/support/failing.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* AddressSanitizer's frames are larger; a million links would need at least 16 MB either way. */
#define LITTLE_STACK ((size_t)256 << 10)

struct stage *stage_new(bool simulated)
{
    struct stage *stage = calloc(1, sizeof *stage);

    assert_non_null(stage);
    failing_install(SIZE_MAX, false);
    diary_read();
    if (simulated) {
        stage->loop = vow_loop_simulated(1);
    } else {
        stage->uv = malloc(sizeof *stage->uv);
        assert_non_null(stage->uv);
        assert_int_equal(uv_loop_init(stage->uv), 0);
        stage->loop = vow_loop_attach(stage->uv);
    }
    assert_non_null(stage->loop);
    return stage;
}

void stage_close_loop(struct stage *stage)
{
    vow_loop_close(stage->loop);
    stage->loop = NULL;
    if (stage->uv)
        uv_run(stage->uv, UV_RUN_DEFAULT);
}

void stage_free(struct stage *stage)
{
    if (stage->loop)
        stage_close_loop(stage);
    if (stage->uv) {
        uv_run(stage->uv, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(stage->uv), 0);
        free(stage->uv);
    }
    free(stage);
    assert_int_equal(failing_outstanding(), 0);
    failing_remove();
}

int stage_open(void **state)
{
    *state = stage_new(false);
    return 0;
}

int stage_open_simulated(void **state)
{
    *state = stage_new(true);
    return 0;
}

int stage_close(void **state)
{
    stage_free(*state);
    return 0;
}

void stage_run(struct stage *stage)
{
    if (stage->uv)
        uv_run(stage->uv, UV_RUN_DEFAULT);
    else
        vow_loop_advance(stage->loop, 0);
}

void stage_advance_ms(struct stage *stage, int64_t ms)
{
    vow_loop_advance(stage->loop, ms);
}

vow_future *stage_promise(struct stage *stage, vow_promise **promise)
{
    vow_future *future = vow_promise_new(stage->loop, promise);

    assert_non_null(*promise);
    return future;
}

/* The diary. */

static char   pages[4096];
static size_t written;

void diary_write(const char *format, ...)
{
    va_list arguments;

    if (written > 0 && written + 1 < sizeof pages)
        pages[written++] = ' ';
    va_start(arguments, format);
    written += (size_t)vsnprintf(pages + written, sizeof pages - written, format, arguments);
    va_end(arguments);
    if (written >= sizeof pages) {
        written = 0;
        fail_msg("the diary is full");
    }
}

const char *diary_read(void)
{
    static char read[sizeof pages];

    memcpy(read, pages, written);
    read[written] = '\0';
    written = 0;
    return read;
}

void diary_done(vow_future *settled, void *arg)
{
    diary_write("%s:%s", (const char *)arg, vow_code_name(vow_future_code(settled)));
}

void diary_release(void *arg)
{
    diary_write("-%s", (const char *)arg);
}

vow_future *diary_then(vow_future *settled, void *arg)
{
    (void)settled;
    diary_write("%s", (const char *)arg);
    return NULL;
}

/* A little stack. */

struct errand {
    void (*body)(void *arg);
    void *arg;
};

static void *errand_run(void *arg)
{
    struct errand *errand = arg;

    errand->body(errand->arg);
    return NULL;
}

void with_little_stack(void (*body)(void *arg), void *arg)
{
    struct errand  errand = { body, arg };
    pthread_attr_t attributes;
    pthread_t      thread;

    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, LITTLE_STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, errand_run, &errand), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
}
