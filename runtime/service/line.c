#include "runtime/service/line.h"

#include <string.h>

static const char cut_mark[] = "...";

#define CUT_MARK_SIZE (sizeof cut_mark - 1)

/* Putting */

void vow_line_init(vow_line *line, char *data, size_t capacity)
{
    *line = (vow_line){ .data = data, .room = capacity - 1 };
    data[0] = '\0';
}

static void line_append(vow_line *line, const char *bytes, size_t size)
{
    if (size > line->room - line->size)
        size = line->room - line->size;
    memcpy(line->data + line->size, bytes, size);
    line->size += size;
    line->data[line->size] = '\0';
}

void vow_line_put(vow_line *line, const char *text)
{
    line_append(line, text, strlen(text));
}

#define DIGITS_MAX 20

void vow_line_put_digits(vow_line *line, uint64_t number, size_t digits)
{
    char  text[DIGITS_MAX];
    char *first = text + sizeof text;

    do {
        *--first = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while ((size_t)(text + sizeof text - first) < digits && first > text)
        *--first = '0';
    line_append(line, first, (size_t)(text + sizeof text - first));
}

void vow_line_put_number(vow_line *line, uint64_t number)
{
    vow_line_put_digits(line, number, 1);
}

/* Characters */

/* The size of the character of UTF-8 at `text`, which ends with a NUL, or 0: it is none.
 * Source: RFC 3629, section 4. */
static size_t character_read(const char *text, uint32_t *character)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t               lead = (uint8_t)text[0];
    size_t size = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    uint32_t value = size <= 1 ? lead : lead & (0xFFu >> (size + 1));

    for (size_t i = 1; i < size; i++) {
        uint8_t next = (uint8_t)text[i];

        if ((next & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (next & 0x3Fu);
    }
    if (size > 1 && (value < least[size] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)))
        return 0;
    *character = value;
    return size;
}

static bool is_between(uint32_t character, uint32_t first, uint32_t last)
{
    return character >= first && character <= last;
}

/* Those that move the cursor, end a line, or turn the direction of writing. All lie below U+10000. */
static bool character_is_plain(uint32_t character)
{
    return !(character < 0x20 || is_between(character, 0x7F, 0x9F) || character == 0x061C ||
             is_between(character, 0x200E, 0x200F) || is_between(character, 0x2028, 0x202E) ||
             is_between(character, 0x2066, 0x2069) || character == 0xFEFF);
}

bool vow_text_is_plain(const char *text)
{
    while (*text) {
        uint32_t character;
        size_t   size = character_read(text, &character);

        if (size == 0 || !character_is_plain(character))
            return false;
        text += size;
    }
    return true;
}

/* Escaping */

#define REPLACEMENT "\xEF\xBF\xBD"
#define PIECE_MAX 8

static size_t piece_hex(char *piece, const char *before, uint32_t value, size_t digits)
{
    size_t size = strlen(before);

    memcpy(piece, before, size);
    for (size_t i = digits; i-- > 0; value >>= 4)
        piece[size + i] = "0123456789abcdef"[value & 0xF];
    return size + digits;
}

static size_t piece_text(char *piece, const char *text)
{
    size_t size = strlen(text);

    memcpy(piece, text, size);
    return size;
}

static size_t piece_invalid(char *piece, vow_escape escape, char byte)
{
    if (escape == VOW_ESCAPE_TEXT)
        return piece_hex(piece, "\\x", (uint8_t)byte, 2);
    return escape == VOW_ESCAPE_JSON ? piece_text(piece, "\\ufffd") : piece_text(piece, REPLACEMENT);
}

/* The escape of what is no plain character. */
static size_t piece_special(char *piece, vow_escape escape, uint32_t character)
{
    if (character == '\n')
        return piece_text(piece, "\\n");
    if (escape == VOW_ESCAPE_LABEL)
        return piece_text(piece, REPLACEMENT);
    switch (character) {
    case '\r':
        return piece_text(piece, "\\r");
    case '\t':
        return piece_text(piece, "\\t");
    default:
        return piece_hex(piece, "\\u", character, 4);
    }
}

/* Writes the next character of `text` as it is shown. Gives its size there, and in *size here. */
static size_t piece_make(char *piece, vow_escape escape, const char *text, size_t *size)
{
    uint32_t character;
    size_t   read = character_read(text, &character);

    if (read == 0) {
        *size = piece_invalid(piece, escape, *text);
        return 1;
    }
    if (!character_is_plain(character)) {
        *size = piece_special(piece, escape, character);
        return read;
    }
    *size = 0;
    if (character == '"' || character == '\\')
        piece[(*size)++] = '\\';
    memcpy(piece + *size, text, read);
    *size += read;
    return read;
}

void vow_line_escape(vow_line *line, vow_escape escape, const char *text, size_t max, size_t reserve)
{
    size_t room = line->room - line->size;
    size_t free_bytes = room > reserve ? room - reserve : 0;
    size_t end = line->size + (free_bytes < max ? free_bytes : max);
    size_t cut = line->size; /* the last place where the mark still fits */

    while (*text) {
        char   piece[PIECE_MAX];
        size_t size;

        text += piece_make(piece, escape, text, &size);
        if (size > end - line->size) {
            line->size = cut;
            line_append(line, cut_mark, end - cut < CUT_MARK_SIZE ? end - cut : CUT_MARK_SIZE);
            return;
        }
        line_append(line, piece, size);
        if (end - line->size >= CUT_MARK_SIZE)
            cut = line->size;
    }
}
