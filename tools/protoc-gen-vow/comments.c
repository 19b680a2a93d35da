#include "comments.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* One character of UTF-8 at `at`: its size and code; 0 where there is none. */
static size_t utf8_read(const char *at, uint32_t *code)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char  *byte = (const unsigned char *)at;
    size_t                size = byte[0] < 0x80 ? 1 : byte[0] >= 0xf0 ? 4 : byte[0] >= 0xe0 ? 3 : 2;

    if (byte[0] >= 0xf8 || (byte[0] >= 0x80 && byte[0] < 0xc0))
        return 0;
    *code = size == 1 ? byte[0] : byte[0] & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        if ((byte[i] & 0xc0) != 0x80) /* the NUL at the end among others */
            return 0;
        *code = *code << 6 | (byte[i] & 0x3f);
    }
    return *code < least[size] || *code > 0x10ffff ? 0 : size;
}

/* Characters that turn the direction of what follows can make code look like a comment and the other way
 * round (CVE-2021-42574); compilers warn of them. */
static bool code_turns_direction(uint32_t code)
{
    return (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e ||
           code == 0x200f || code == 0x61c;
}

static void line_add_character(vow_text *line, const char *at, size_t size, uint32_t code)
{
    if (size == 0 || code_turns_direction(code))
        vow_text_add(line, "?", 1);
    else if ((code < ' ' && code != '\t') || code == 0x7f)
        vow_text_add(line, " ", 1);
    else
        vow_text_add(line, at, size);
}

/* Two characters that mean something in a comment are kept apart by a space; so is a trigraph. */
static bool pair_is_special(char first, char second)
{
    return (first == '*' && second == '/') || (first == '/' && second == '*') ||
           (first == '?' && second == '?');
}

static char *line_make_safe(const char *at, size_t size)
{
    const char *end = at + size;
    vow_text    line = { 0 };

    while (at < end) {
        uint32_t code = 0;
        size_t   taken = utf8_read(at, &code);

        if (line.size > 0 && pair_is_special(line.data[line.size - 1], *at))
            vow_text_add(&line, " ", 1);
        line_add_character(&line, at, taken, code);
        at += taken > 0 ? taken : 1;
    }
    while (line.size > 0 && strchr(" \t\\", line.data[line.size - 1])) /* a backslash would join the lines */
        line.data[--line.size] = '\0';
    return line.data ? line.data : vow_scratch_copy("", 0);
}

/* The next line of `*comment`, without the marks of doc comments ("/// …"); NULL at the end. */
static char *line_next(const char **comment)
{
    const char *line = *comment;
    size_t      size = strcspn(line, "\n");

    if (!*line)
        return NULL;
    *comment += size + (line[size] == '\n');
    if (size > 0 && *line == '/') {
        line++;
        size--;
    }
    return line_make_safe(line, size);
}

static void line_write(vow_text *text, const char *line)
{
    vow_text_print(text, " *%s%s\n", *line && *line != ' ' ? " " : "", line);
}

static void lines_write(vow_text *text, const char *comment)
{
    size_t blank = 0;
    bool   started = false;
    char  *line;

    while ((line = line_next(&comment))) {
        if (!*line) {
            blank++;
            continue;
        }
        for (; started && blank > 0; blank--)
            vow_text_print(text, " *\n");
        line_write(text, line);
        started = true;
        blank = 0;
    }
}

static bool comment_is_blank(const char *comment)
{
    return !comment || comment[strspn(comment, "*/ \t\r\n")] == '\0';
}

void vow_comment_write(vow_text *text, const char *comment, const char *line)
{
    if (comment_is_blank(comment)) {
        vow_text_print(text, "/* %s */\n", line);
        return;
    }
    vow_text_print(text, "/*\n");
    lines_write(text, comment + (*comment == '*')); /* of a doc comment, which opens with two stars */
    if (line)
        vow_text_print(text, " *\n * %s\n", line);
    vow_text_print(text, " */\n");
}
