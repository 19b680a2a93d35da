/*
 * Memory that a session holds for its peer: blocks of the loop's that are counted.
 *
 * The idea: what a peer makes this side keep (messages that are coming in, output that it does not take) is
 * counted for its session and for all sessions of a server together, where it is taken and given back.
 */
#ifndef VOW_PROTOCOL_HELD_H
#define VOW_PROTOCOL_HELD_H

#include "runtime/protocol/protocol.h"

typedef struct vow_buffer {
    uint8_t *data; /* a held block; NULL: none */
    size_t   block_size;
    size_t   size;
} vow_buffer;

/* Gives at least *size bytes (vow_held_give) and sets *size to what they are. NULL: no memory. */
void *vow_held_take(vow_session *session, size_t *size);
void  vow_held_give(vow_session *session, void *block, size_t size);

/* The same for what a peer has not sent to its end yet, which is the first to be refused when memory is
 * short. NULL: no memory, or more than the account allows. */
void *vow_held_take_within(vow_session *session, size_t *size);

/* Would the account allow that? */
bool vow_held_is_within(const vow_session *session, size_t size);

/* Behind the event of a message: gives its block back; where that was taken, it counts for its taker. */
void vow_held_give_rest(vow_session *session, const vow_packed *packed);

/* The server that counts may go before the session's last words have left. */
void vow_held_leave_account(vow_session *session);

/* Room for `size` bytes behind what is there, in a block of at least `least`. NULL: no memory. */
uint8_t *vow_buffer_make_room(vow_session *session, vow_buffer *buffer, size_t size, size_t least);

/* Gives the block back. */
void vow_buffer_give(vow_session *session, vow_buffer *buffer);

#endif
