#include "runtime/loop/mailbox.h"

#include "runtime/base/memory.h"

#include <assert.h>

struct vow_letter {
    vow_letter *next;
    void (*run)(void *arg);
    void *arg;
};

void vow_mailbox_init(vow_mailbox *mailbox, void (*wake)(void *arg), void *wake_arg)
{
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    mailbox->wake = wake;
    mailbox->wake_arg = wake_arg;
}

void vow_mailbox_done(vow_mailbox *mailbox)
{
    assert(!mailbox->first);
    pthread_mutex_destroy(&mailbox->lock);
}

vow_code vow_mailbox_put(vow_mailbox *mailbox, void (*run)(void *arg), void *arg)
{
    vow_letter *letter = vow_alloc(sizeof *letter);

    if (!letter)
        return VOW_RESOURCE_EXHAUSTED;
    *letter = (vow_letter){ .run = run, .arg = arg };
    pthread_mutex_lock(&mailbox->lock);
    *mailbox->last = letter;
    mailbox->last = &letter->next;
    mailbox->wake(mailbox->wake_arg);
    pthread_mutex_unlock(&mailbox->lock);
    return VOW_OK;
}

static vow_letter *mailbox_take_all(vow_mailbox *mailbox)
{
    vow_letter *letters;

    pthread_mutex_lock(&mailbox->lock);
    letters = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return letters;
}

void vow_mailbox_run(vow_mailbox *mailbox)
{
    vow_letter *letter = mailbox_take_all(mailbox);

    while (letter) {
        vow_letter *next = letter->next;

        letter->run(letter->arg);
        vow_free(letter);
        letter = next;
    }
}

bool vow_mailbox_empty(vow_mailbox *mailbox)
{
    bool empty;

    pthread_mutex_lock(&mailbox->lock);
    empty = !mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return empty;
}
