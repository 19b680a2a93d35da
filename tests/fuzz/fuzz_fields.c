/*
 * The fields of a header block of HTTP/2: names and values in turn, with a NUL before each.
 *
 * The idea: what is read of a value must lie within it, which AddressSanitizer sees, since each is a block of
 * its own; what the limits leave is metadata that rpc could take; and what was read is written and read
 * again.
 */
#include "runtime/protocol/grpc/fields.h"
#include "runtime/protocol/grpc/text.h"
#include "runtime/protocol/metadata.h"

#include <stdlib.h>
#include <string.h>

#include <vow/testing.h>
#include <vow/vow.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* A copy without a byte more. */
static uint8_t *exactly(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    must(copy != NULL);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

static void try_texts(const uint8_t *value, size_t size)
{
    char     timeout[VOW_GRPC_TIMEOUT_ROOM];
    uint8_t *room = malloc(size + 1);
    char    *wide = malloc(3 * size + vow_base64_room(size) + 1);
    uint64_t ns;
    size_t   read;

    must(room && wide);
    if (vow_grpc_timeout_read(value, size, &ns))
        must(vow_grpc_timeout_write(timeout, ns) < sizeof timeout);
    must(vow_grpc_percent_read((char *)room, value, size) <= size);
    read = vow_grpc_percent_write(wide, (const char *)value, size);
    must(read <= 3 * size);
    read = vow_base64_read(room, value, size);
    must(read == SIZE_MAX || read <= size);
    read = vow_base64_write(wide, value, size);
    must(read <= vow_base64_room(size));
    must(vow_base64_read((uint8_t *)wide, (const uint8_t *)wide, read) == size);
    must(size == 0 || memcmp(wide, value, size) == 0);
    free(room);
    free(wide);
}

static void look_at_metadata(vow_grpc_fields *fields)
{
    vow_metadata *metadata = NULL;
    size_t        block_size = 0;
    size_t        count = 0;

    if (fields->fault.code != VOW_OK || vow_grpc_fields_metadata(fields, &metadata, &block_size) != VOW_OK ||
        !metadata)
        return;
    for (; metadata[count].name; count++)
        must(vow_metadata_name_is_allowed(metadata[count].name, strlen(metadata[count].name)));
    must(count == fields->count && count <= fields->session->options.max_metadata_count);
    vow_held_give(fields->session, metadata, block_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vow_loop       *loop = vow_loop_simulated(1);
    vow_session     session = { .loop = loop,
                                .options = { .max_metadata_size = 16384, .max_metadata_count = 100 } };
    vow_grpc_fields fields;
    uint8_t        *name = NULL;
    size_t          name_size = 0;

    vow_grpc_fields_init(&fields, &session);
    while (size > 0) {
        const uint8_t *end = memchr(data + 1, '\0', size - 1);
        size_t         part = end ? (size_t)(end - data) - 1 : size - 1;
        uint8_t       *copy = exactly(data + 1, part);

        data += part + 1;
        size -= part + 1;
        if (!name) {
            name = copy;
            name_size = part;
            continue;
        }
        vow_grpc_fields_add(&fields, name, name_size, copy, part);
        try_texts(copy, part);
        free(copy);
        free(name);
        name = NULL;
    }
    free(name);
    look_at_metadata(&fields);
    vow_grpc_fields_clear(&fields);
    must(session.held_bytes == 0);
    vow_loop_close(loop);
    return 0;
}
