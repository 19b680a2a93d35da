#include "tests/support/message_writer.h"

#include <protobuf-c/protobuf-c.h>

#include <stdlib.h>
#include <string.h>

void writer_done(writer *writer)
{
    free(writer->data);
    *writer = (struct writer){ 0 };
}

void writer_clear(writer *writer)
{
    writer->size = 0;
}

static void writer_reserve(writer *writer, size_t size)
{
    if (writer->size + size <= writer->room)
        return;
    writer->room = 2 * (writer->size + size);
    writer->data = realloc(writer->data, writer->room);
    if (!writer->data)
        abort();
}

void writer_add(writer *writer, const void *bytes, size_t size)
{
    if (size == 0)
        return;
    writer_reserve(writer, size);
    memcpy(writer->data + writer->size, bytes, size);
    writer->size += size;
}

static size_t varint_encode(uint8_t *to, uint64_t value)
{
    size_t size = 0;

    for (; value > 0x7F; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

void writer_varint(writer *writer, uint64_t value)
{
    uint8_t bytes[10];

    writer_add(writer, bytes, varint_encode(bytes, value));
}

void writer_tag(writer *writer, uint32_t number, unsigned wire_type)
{
    writer_varint(writer, (uint64_t)number << 3 | wire_type);
}

void writer_number(writer *writer, uint32_t number, uint64_t value)
{
    writer_tag(writer, number, PROTOBUF_C_WIRE_TYPE_VARINT);
    writer_varint(writer, value);
}

void writer_bytes(writer *writer, uint32_t number, const void *bytes, size_t size)
{
    writer_tag(writer, number, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
    writer_varint(writer, size);
    writer_add(writer, bytes, size);
}

void writer_text(writer *writer, uint32_t number, const char *text)
{
    writer_bytes(writer, number, text, strlen(text));
}

void writer_message(writer *writer, uint32_t number, const struct writer *message)
{
    writer_bytes(writer, number, message->data, message->size);
}

void writer_repeat(writer *writer, const void *bytes, size_t size, size_t count)
{
    writer_reserve(writer, size * count);
    for (size_t i = 0; i < count; i++)
        writer_add(writer, bytes, size);
}

/* Tags and lengths are written from the inside out, backwards, and turned round at the end. */
void writer_nest(writer *writer, uint32_t number, size_t depth)
{
    struct writer outside = { 0 };

    for (size_t i = 0; i < depth; i++) {
        uint8_t head[15];
        size_t  size = varint_encode(head, (uint64_t)number << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);

        size += varint_encode(head + size, writer->size + outside.size);
        while (size > 0)
            writer_add(&outside, &head[--size], 1);
    }
    for (size_t i = 0; i < outside.size / 2; i++) {
        uint8_t byte = outside.data[i];

        outside.data[i] = outside.data[outside.size - 1 - i];
        outside.data[outside.size - 1 - i] = byte;
    }
    writer_add(&outside, writer->data, writer->size);
    writer_done(writer);
    *writer = outside;
}
