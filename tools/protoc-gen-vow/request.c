#include "request.h"

#include "text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* protoc refuses messages nested deeper than 32; protobuf-c takes a kilobyte of stack for each level. */
#define DEPTH_LIMIT 100

/* A thousand files of a megabyte: beyond what any build hands to one run of protoc. */
#define SIZE_LIMIT ((size_t)1 << 30)

static bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The field that nests, by depth: CodeGeneratorRequest.proto_file, FileDescriptorProto.message_type,
 * then DescriptorProto.nested_type for ever. */
static uint64_t nesting_field(size_t depth)
{
    return depth == 0 ? 15 : depth == 1 ? 4 : 3;
}

/* Is the nesting of message types within DEPTH_LIMIT? What is malformed is left for protobuf-c to refuse. */
static bool nesting_allowed(const uint8_t *at, size_t size)
{
    const uint8_t *ends[DEPTH_LIMIT] = { at + size };
    size_t         depth = 0;
    uint64_t       tag, value;

    for (;;) {
        while (at == ends[depth]) {
            if (depth-- == 0)
                return true;
        }
        if (!varint_read(&at, ends[depth], &tag))
            return true;
        switch (tag & 7) {
        case 0:
            if (!varint_read(&at, ends[depth], &value))
                return true;
            continue;
        case 1:
            value = 8;
            break;
        case 2:
            if (!varint_read(&at, ends[depth], &value))
                return true;
            break;
        case 5:
            value = 4;
            break;
        default:
            return true;
        }
        if (value > (size_t)(ends[depth] - at))
            return true;
        if (tag != (nesting_field(depth) << 3 | 2)) {
            at += value;
            continue;
        }
        if (depth + 1 == DEPTH_LIMIT)
            return false;
        depth++;
        ends[depth] = at + value;
    }
}

const char *vow_request_read(FILE *input, vow_request **read)
{
    vow_text bytes = { 0 };
    char     part[65536];
    size_t   size;

    while ((size = fread(part, 1, sizeof part, input)) > 0) {
        if (bytes.size + size > SIZE_LIMIT)
            return "standard input is larger than a request from protoc can be";
        vow_text_add(&bytes, part, size);
    }
    if (ferror(input))
        return vow_scratch_format("cannot read standard input: %s", strerror(errno));
    if (!nesting_allowed((const uint8_t *)bytes.data, bytes.size))
        return vow_scratch_format("the request nests messages deeper than %d", DEPTH_LIMIT);

    *read = google__protobuf__compiler__code_generator_request__unpack(&vow_scratch_allocator, bytes.size,
                                                                       (const uint8_t *)bytes.data);
    if (!*read || (*read)->n_file_to_generate == 0)
        return "standard input is not a request from protoc; see protoc-gen-vow --help";
    return NULL;
}

const char *vow_parameters_read(const char *text, vow_parameters *parameters)
{
    while (*text) {
        size_t      size = strcspn(text, ",");
        const char *word = vow_scratch_copy(text, size);

        if (strcmp(word, "messages") == 0)
            parameters->messages = "protoc-gen-c";
        else if (strncmp(word, "messages=", 9) == 0 && word[9])
            parameters->messages = word + 9;
        else if (*word)
            return vow_scratch_format("unknown parameter \"%s\"; there are messages and messages=PROGRAM "
                                      "(see protoc-gen-vow --help)",
                                      word);
        text += size;
        text += *text == ',';
    }
    return NULL;
}
