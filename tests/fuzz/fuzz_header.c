/* The header codec: what it reads, it writes so that it reads the same; what protobuf-c refuses, it refuses. */
#include "runtime/protocol/native/header.h"

#include <stdlib.h>
#include <string.h>

#include "vow/wire.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_bytes(vow_bytes one, vow_bytes other)
{
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

static void check_again(const vow_header *read)
{
    uint8_t   *frame;
    uint8_t   *end;
    size_t     prefix = 1;
    vow_header again;

    frame = malloc(vow_header_room(read));
    if (!frame)
        return;
    end = vow_header_write(frame, read, 0);
    while (frame[4 + prefix - 1] & 0x80)
        prefix++;
    if (vow_header_read(&again, frame + 4 + prefix, (size_t)(end - frame) - 4 - prefix))
        abort();
    if (again.kind != read->kind || again.call != read->call || again.method != read->method ||
        again.message_size != read->message_size || again.more != read->more || again.code != read->code ||
        !same_bytes(again.method_name, read->method_name) || !same_bytes(again.text, read->text) ||
        !same_bytes(again.details, read->details))
        abort();
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vow_header         header;
    vow_entries        left;
    vow_bytes          name, value;
    uint32_t           count = 0;
    Vow__Wire__Header *theirs;

    if (size > VOW_HEADER_MAX || vow_header_read(&header, data, size))
        return 0;
    left = header.metadata;
    while (vow_header_next_metadata(&left, &name, &value))
        count++;
    left = header.trailing;
    while (vow_header_next_metadata(&left, &name, &value))
        count++;
    if (count != header.metadata.count + header.trailing.count)
        abort();
    check_again(&header);
    theirs = vow__wire__header__unpack(NULL, size, data);
    if (!theirs)
        abort();
    vow__wire__header__free_unpacked(theirs, NULL);
    return 0;
}
