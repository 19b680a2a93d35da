/*
 * The header of a frame, to bytes and back.
 *
 * The idea: vow.wire.Header written by hand, since it is the hottest codec there is; a test holds both
 * directions against protobuf-c's own, byte for byte. What has a length (names, texts, metadata) stays where it
 * is: a header that was read points into the bytes it was read from.
 *
 *     uint32 little-endian length | varint header length | header | payload
 *
 * Source  proto/vow/wire.proto; docs/native-protocol.md.
 */
#ifndef VOW_PROTOCOL_NATIVE_HEADER_H
#define VOW_PROTOCOL_NATIVE_HEADER_H

#include <vow/call.h>

typedef enum vow_frame_kind {
    VOW_FRAME_CALL = 1,
    VOW_FRAME_MESSAGE,
    VOW_FRAME_REPLY,
    VOW_FRAME_STATUS,
    VOW_FRAME_CANCEL,
    VOW_FRAME_CREDIT,
    VOW_FRAME_PING,
    VOW_FRAME_PONG,
    VOW_FRAME_GOAWAY,
    VOW_FRAME_HELLO,
    VOW_FRAME_METHOD,
    VOW_FRAME_STREAM,
    VOW_FRAME_END,
    VOW_FRAME_METADATA,
    VOW_FRAME_KINDS
} vow_frame_kind;

typedef struct vow_bytes {
    const uint8_t *data; /* NULL: absent */
    size_t         size;
} vow_bytes;

/* Metadata of a header that was read: from its first entry to the header's end. */
typedef struct vow_entries {
    const uint8_t *data;
    size_t         size;
    uint32_t       number; /* of the field */
    uint32_t       count;
} vow_entries;

/* Numbers are absent when 0, but for those with a flag. */
typedef struct vow_header {
    vow_frame_kind kind;
    uint32_t       method;
    uint32_t       code;
    bool           more;
    bool           one_way;
    bool           streams;
    bool           never_ran;
    bool           has_push_back;
    bool           has_last_call;
    uint64_t       call;
    uint64_t       message_size;
    uint64_t       time_left_us;
    uint64_t       ping;
    uint64_t       credit;
    uint64_t       push_back_ms;
    uint64_t       last_call;
    vow_bytes      method_name;
    vow_bytes      text;
    vow_bytes      details;
    vow_entries    metadata; /* of a header that was read */
    vow_entries    trailing;
    const vow_metadata *to_send; /* of a header to be written; NULL: none */
    const vow_metadata *trailing_to_send;
} vow_header;

/* What a frame adds to a payload when its header has nothing of a length: 4, 1, and each number at its longest. */
#define VOW_HEADER_PLAIN_MAX 116

/* A header is no longer than this, in either direction: there is room for metadata, trailing metadata and details of
 * their largest sizes, and a text. It fits a frame of VOW_FRAME_MAX. */
#define VOW_HEADER_MAX ((size_t)48 << 10)

/* What vow_header_write needs room for, at most. */
size_t vow_header_room(const vow_header *header);

/* Writes length, header length and header of a frame with `payload_size` bytes behind. Gives where the payload goes. */
uint8_t *vow_header_write(uint8_t *at, const vow_header *header, size_t payload_size);

/* The same where the header has a kind and a call alone, which is 18, rounded up to what is copied in whole words. */
#define VOW_HEADER_SHORT_MAX 24

/* What most headers have, and no more. */
typedef struct vow_short_header {
    vow_frame_kind kind;
    uint32_t       method;
    uint64_t       call;
    uint64_t       time_left_us;
} vow_short_header;

/* Begins a frame at `frame`, with room for VOW_HEADER_PLAIN_MAX bytes. Gives where the payload goes; once that ends at
 * `end`, the frame is closed. */
uint8_t *vow_header_begin_frame(uint8_t *frame, const vow_short_header *header);
void     vow_header_close_frame(uint8_t *frame, const uint8_t *end);

/* Reads a header. NULL, or what is wrong with it. Fields it does not know are skipped. */
const char *vow_header_read(vow_header *header, const uint8_t *data, size_t size);

/* Takes the next entry from `left`, which passed vow_header_read. False: that was the last. */
bool vow_header_next_metadata(vow_entries *left, vow_bytes *name, vow_bytes *value);

const char *vow_frame_kind_name(vow_frame_kind kind);

#endif
