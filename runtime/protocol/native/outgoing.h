/*
 * One large message on its way out: cut into frames.
 *
 * The idea: while the connection takes all that it is given, frames leave straight from the memory of the
 * message that is being packed, and nothing is copied. What does not leave at once is packed into a block,
 * frame headers in between. When the connection stops in mid-frame, the rest of that frame goes into
 * `filling`, which leaves before all else.
 */
#ifndef VOW_PROTOCOL_NATIVE_OUTGOING_H
#define VOW_PROTOCOL_NATIVE_OUTGOING_H

#include "runtime/protocol/native/output.h"

struct vow_outgoing {
    vow_link  link; /* in output->large or ->starved; not listed while a part is lent, or credit is missing */
    vow_wire *wire; /* NULL: has been forgotten, and needs no telling */
    vow_pace *pace; /* of a stream, whose frames cost credit; else NULL */
    vow_outgoing *next; /* of the same stream */
    size_t        block_size;
    size_t        frame_size; /* of each but the last, with all headers */
    size_t        size;       /* 0: all has left already */
    size_t        sent;
    size_t        free_from; /* frames from here on cost no credit */
    bool          is_dropped;
    uint8_t       bytes[];
};

/* What vow_outgoing_new is told beside the message. */
typedef struct vow_cut {
    vow_header header; /* of each frame; `more` is set as needed */
    size_t     max_frame_size;
    vow_pace  *pace;  /* of a stream; frames that leave at once cost its credit. NULL: none */
    bool       waits; /* nothing may leave yet */
} vow_cut;

/* A block for a message of `size` bytes. NULL: no memory. */
vow_outgoing *vow_outgoing_new(vow_output *output, size_t size, const vow_cut *cut);

/* Sends what leaves at once, and puts the rest into `filling` and the block. */
void vow_outgoing_pack(vow_output *output, vow_outgoing *outgoing, const ProtobufCMessage *message,
                       size_t size, const vow_cut *cut);

#endif
