/*
 * Messages written byte by byte, right or wrong, as a peer could send them.
 *
 * The idea: the bytes grow at the end; a sub-message is written on its own and then put in.
 */
#ifndef VOW_TESTS_MESSAGE_WRITER_H
#define VOW_TESTS_MESSAGE_WRITER_H

#include <stddef.h>
#include <stdint.h>

/* Begins as { 0 }. */
typedef struct writer {
    uint8_t *data;
    size_t   size;
    size_t   room;
} writer;

void writer_done(writer *writer);
void writer_clear(writer *writer);

void writer_add(writer *writer, const void *bytes, size_t size);
void writer_varint(writer *writer, uint64_t value);
void writer_tag(writer *writer, uint32_t number, unsigned wire_type);

/* Whole elements. */
void writer_number(writer *writer, uint32_t number, uint64_t value);
void writer_bytes(writer *writer, uint32_t number, const void *bytes, size_t size);
void writer_text(writer *writer, uint32_t number, const char *text);
void writer_message(writer *writer, uint32_t number, const struct writer *message);

/* The element of `size` bytes, `count` times. */
void writer_repeat(writer *writer, const void *bytes, size_t size, size_t count);

/* What is there becomes the field `number` of a message, `depth` times over. */
void writer_nest(writer *writer, uint32_t number, size_t depth);

#endif
