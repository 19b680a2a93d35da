#include "runtime/protocol/held.h"

#include <string.h>

void *vow_held_take(vow_session *session, size_t *size)
{
    void *block = vow_blocks_take(&vow_scheduler_of(session->loop)->blocks, size);

    if (!block)
        return NULL;
    session->held_bytes += *size;
    if (session->options.account)
        session->options.account->used += *size;
    return block;
}

static void held_count_less(vow_session *session, size_t size)
{
    session->held_bytes -= size;
    if (session->options.account)
        session->options.account->used -= size;
}

void vow_held_give(vow_session *session, void *block, size_t size)
{
    held_count_less(session, size);
    vow_blocks_give(&vow_scheduler_of(session->loop)->blocks, block, size);
}

bool vow_held_is_within(const vow_session *session, size_t size)
{
    const vow_account *account = session->options.account;

    return !account || (account->used < account->limit && size <= account->limit - account->used);
}

void vow_held_give_rest(vow_session *session, const vow_packed *packed)
{
    if (packed->block)
        vow_held_give(session, packed->block, packed->block_size);
    else
        held_count_less(session, packed->block_size);
}

void *vow_held_take_within(vow_session *session, size_t *size)
{
    return vow_held_is_within(session, *size) ? vow_held_take(session, size) : NULL;
}

void vow_held_leave_account(vow_session *session)
{
    vow_account *account = session->options.account;

    if (account)
        account->used -= session->held_bytes;
    session->options.account = NULL;
}

uint8_t *vow_buffer_make_room(vow_session *session, vow_buffer *buffer, size_t size, size_t least)
{
    size_t   wanted = buffer->size + size;
    size_t   block_size = wanted < least ? least : wanted + wanted / 2;
    uint8_t *block;

    if (wanted <= buffer->block_size)
        return buffer->data + buffer->size;
    block = vow_held_take(session, &block_size);
    if (!block)
        return NULL;
    if (buffer->size)
        memcpy(block, buffer->data, buffer->size);
    if (buffer->data)
        vow_held_give(session, buffer->data, buffer->block_size);
    buffer->data = block;
    buffer->block_size = block_size;
    return block + buffer->size;
}

void vow_buffer_give(vow_session *session, vow_buffer *buffer)
{
    if (buffer->data)
        vow_held_give(session, buffer->data, buffer->block_size);
    *buffer = (vow_buffer){ NULL, 0, 0 };
}
