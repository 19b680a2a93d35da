#include "runtime/base/utf8.h"
#include "runtime/protocol/native/session.h"

#include <string.h>

/* What a frame of the header alone has behind its length, to the byte; without memory to find out, at most. */
static size_t frame_size(vow_native *native, const vow_header *header)
{
    size_t   size = vow_header_room(header);
    size_t   block_size = size;
    uint8_t *block = vow_held_take(&native->base, &block_size);

    if (!block)
        return size;
    size = (size_t)(vow_header_write(block, header, 0) - block) - 4;
    vow_held_give(&native->base, block, block_size);
    return size;
}

/* The size of the frame; 0: it is not too large. Nearly all peers take more than the longest header makes. */
static size_t too_large(vow_native *native, const vow_header *header, size_t message_size)
{
    size_t     most = native->output.max_frame_size;
    size_t     size;
    vow_header alone;

    if (most >= VOW_FRAME_MAX)
        return 0;
    alone = *header;
    alone.more = message_size > 0;
    alone.message_size = message_size;
    size = frame_size(native, &alone);
    return size > most ? size : 0;
}

bool vow_fit_call(vow_native *native, const vow_header *header, const vow_begin *begin, size_t message_size,
                  vow_status *status)
{
    size_t size = too_large(native, header, message_size);

    if (size)
        *status = vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                  "%s: %s: the call's metadata makes a frame of %zu bytes; the server takes %zu (its "
                                  "max_frame_size)",
                                  native->base.options.target, begin->method->name, size,
                                  native->output.max_frame_size);
    return size == 0;
}

bool vow_fit_answer(vow_native *native, const vow_header *header, size_t message_size, vow_status *status)
{
    size_t size = too_large(native, header, message_size);

    if (size)
        *status = vow_status_make(VOW_RESOURCE_EXHAUSTED,
                                  "the answer's metadata makes a frame of %zu bytes; the caller takes %zu (its "
                                  "max_frame_size)",
                                  size, native->output.max_frame_size);
    return size == 0;
}

/* Apart from where calls go by: nearly all peers take the longest header. */
__attribute__((noinline)) void vow_fit_trim(vow_native *native, vow_header *header)
{
    size_t size = too_large(native, header, 0);

    if (size) {
        header->to_send = header->trailing_to_send = NULL;
        size = too_large(native, header, 0);
    }
    if (size) {
        header->details = (vow_bytes){ NULL, 0 };
        size = too_large(native, header, 0);
    }
    if (size) /* between two characters */
        header->text.size =
            vow_utf8_span(header->text.data, header->text.size - (size - native->output.max_frame_size));
}

__attribute__((noinline)) void vow_fit_status(vow_native *native, vow_header *header, vow_status *why)
{
    if (header->code == VOW_OK && !vow_fit_answer(native, header, 0, why)) {
        const char *text = vow_status_message(why);

        header->code = (uint32_t)why->code;
        header->text = (vow_bytes){ (const uint8_t *)text, strlen(text) };
    }
    vow_fit_trim(native, header);
}
