#include "runtime/loop/thread.h"

#include "runtime/base/memory.h"

#include <pthread.h>
#include <uv.h>

struct vow_loop_thread {
    pthread_t       handle;
    pthread_mutex_t lock;
    pthread_cond_t  has_begun;
    vow_code (*begin)(vow_loop *loop, void *arg, vow_error *error);
    void      *arg;
    vow_error *error;
    vow_code   code; /* of `begin` */
    bool       is_set_up;
    vow_loop  *loop;
    uv_loop_t  uv;
};

static vow_code thread_set_up(vow_loop_thread *thread)
{
    vow_code code;

    if (uv_loop_init(&thread->uv) != 0)
        return vow_error_set(thread->error, VOW_RESOURCE_EXHAUSTED, "no memory or file descriptors for a loop");
    thread->loop = vow_loop_attach(&thread->uv);
    if (!thread->loop) {
        uv_loop_close(&thread->uv);
        return vow_error_set(thread->error, VOW_RESOURCE_EXHAUSTED, "no memory or file descriptors for a loop");
    }
    vow_loop_hold(thread->loop);
    code = thread->begin(thread->loop, thread->arg, thread->error);
    if (code != VOW_OK)
        vow_loop_thread_end(thread);
    return code;
}

static void thread_tell(vow_loop_thread *thread, vow_code code)
{
    pthread_mutex_lock(&thread->lock);
    thread->code = code;
    thread->is_set_up = true;
    pthread_cond_signal(&thread->has_begun);
    pthread_mutex_unlock(&thread->lock);
}

static void *thread_run(void *arg)
{
    vow_loop_thread *thread = arg;
    vow_code         code = thread_set_up(thread);
    bool             has_loop = thread->loop != NULL;

    thread_tell(thread, code);
    if (has_loop) {
        uv_run(&thread->uv, UV_RUN_DEFAULT);
        uv_loop_close(&thread->uv);
    }
    return NULL;
}

void vow_loop_thread_end(vow_loop_thread *thread)
{
    vow_loop_release(thread->loop);
    vow_loop_close(thread->loop);
}

vow_loop *vow_loop_thread_loop(const vow_loop_thread *thread)
{
    return thread->loop;
}

void vow_loop_thread_join(vow_loop_thread *thread)
{
    pthread_join(thread->handle, NULL);
    pthread_cond_destroy(&thread->has_begun);
    pthread_mutex_destroy(&thread->lock);
    vow_free(thread);
}

vow_loop_thread *vow_loop_thread_start(vow_code (*begin)(vow_loop *loop, void *arg, vow_error *error), void *arg,
                                       vow_error *error)
{
    vow_loop_thread *thread = vow_alloc_zeroed(sizeof *thread);

    if (!thread) {
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no memory for a thread");
        return NULL;
    }
    thread->begin = begin;
    thread->arg = arg;
    thread->error = error;
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->has_begun, NULL);
    if (pthread_create(&thread->handle, NULL, thread_run, thread) != 0) {
        vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no thread was to be had");
        pthread_cond_destroy(&thread->has_begun);
        pthread_mutex_destroy(&thread->lock);
        vow_free(thread);
        return NULL;
    }
    pthread_mutex_lock(&thread->lock);
    while (!thread->is_set_up)
        pthread_cond_wait(&thread->has_begun, &thread->lock);
    pthread_mutex_unlock(&thread->lock);
    if (thread->code == VOW_OK)
        return thread;
    vow_loop_thread_join(thread);
    return NULL;
}
