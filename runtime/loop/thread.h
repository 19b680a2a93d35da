/*
 * A thread with a loop of its own.
 *
 * The idea: who starts it waits until it is set up; then the two share nothing, and talk by vow_loop_post.
 */
#ifndef VOW_LOOP_THREAD_H
#define VOW_LOOP_THREAD_H

#include "runtime/loop/loop.h"

typedef struct vow_loop_thread vow_loop_thread;

/* Runs `begin` on the new thread, and waits for it; the loop is then held until vow_loop_thread_end.
 * Gives the thread (vow_loop_thread_join), or NULL: as `begin` failed, or no thread was to be had. */
vow_loop_thread *vow_loop_thread_start(vow_code (*begin)(vow_loop *loop, void *arg, vow_error *error), void *arg,
                                       vow_error *error);

vow_loop *vow_loop_thread_loop(const vow_loop_thread *thread);

/* On the thread: closes its loop. */
void vow_loop_thread_end(vow_loop_thread *thread);

/* Waits until the thread has ended. Takes it. */
void vow_loop_thread_join(vow_loop_thread *thread);

#endif
