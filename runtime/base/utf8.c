#include "runtime/base/utf8.h"

#include <stdint.h>
#include <string.h>

#define ONES 0x0101010101010101u
#define HIGHS 0x8080808080808080u

static uint64_t word_load(const uint8_t *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Not 0 if one of the eight bytes is NUL or above ASCII: taking 1 from each borrows at the first NUL. */
static uint64_t word_stops(uint64_t word)
{
    return (word | (word - ONES)) & HIGHS;
}

static const uint8_t *ascii_skip(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 32) {
        uint64_t stops = word_stops(word_load(at)) | word_stops(word_load(at + 8)) |
                         word_stops(word_load(at + 16)) | word_stops(word_load(at + 24));

        if (stops)
            break;
        at += 32;
    }
    while (end - at >= 8 && !word_stops(word_load(at)))
        at += 8;
    while (at < end && *at >= 0x01 && *at <= 0x7F)
        at++;
    return at;
}

/* The size of the character that starts at `at` and is none of ASCII, or 0. The second byte's range
 * is what shuts out overlong forms, surrogates and numbers above U+10FFFF. */
static size_t character_size(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t  size;

    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    if (lead < 0xE0) {
        size = 2;
    } else if (lead < 0xF0) {
        size = 3;
        low = lead == 0xE0 ? 0xA0 : low;
        high = lead == 0xED ? 0x9F : high;
    } else {
        size = 4;
        low = lead == 0xF0 ? 0x90 : low;
        high = lead == 0xF4 ? 0x8F : high;
    }
    if (left < size || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

size_t vow_utf8_span(const void *text, size_t size)
{
    const uint8_t *start = text;
    const uint8_t *end = start + size;
    const uint8_t *at = start;

    while ((at = ascii_skip(at, end)) < end) {
        /* One character above ASCII seldom comes alone. */
        do {
            size_t character = character_size(at, (size_t)(end - at));

            if (character == 0)
                return (size_t)(at - start);
            at += character;
        } while (at < end && at[0] > 0x7F);
    }
    return size;
}
