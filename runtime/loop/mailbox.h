/*
 * The mailbox: what other threads want a loop's thread to run.
 *
 * The idea: a list under a lock; the reader takes all of it at once. The order of one writer is kept.
 *
 * vow_mailbox_put may be called from any thread, the rest on the loop's.
 */
#ifndef VOW_LOOP_MAILBOX_H
#define VOW_LOOP_MAILBOX_H

#include <vow/status.h>

#include <pthread.h>

typedef struct vow_letter vow_letter;

typedef struct vow_mailbox {
    pthread_mutex_t lock;
    vow_letter     *first;
    vow_letter    **last;
    void (*wake)(void *arg);
    void *wake_arg;
} vow_mailbox;

/* `wake` is called under the lock, on the writer's thread: what was put can't run, and end the loop, before it has
 * returned. */
void vow_mailbox_init(vow_mailbox *mailbox, void (*wake)(void *arg), void *wake_arg);
void vow_mailbox_done(vow_mailbox *mailbox); /* it is empty */

/* Fails: no memory. */
vow_code vow_mailbox_put(vow_mailbox *mailbox, void (*run)(void *arg), void *arg);

/* Runs all that was put before this call. */
void vow_mailbox_run(vow_mailbox *mailbox);

bool vow_mailbox_empty(vow_mailbox *mailbox);

#endif
