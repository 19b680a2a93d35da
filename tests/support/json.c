#include "tests/support/json.h"

#include "runtime/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 9000
#define VALUES 4
#define NAMES_MAX 32

typedef struct reader {
    const char *at;
    const char *fault;
} reader;

static bool reader_fail(reader *reader, const char *fault)
{
    reader->fault = fault;
    return false;
}

static bool reader_expect(reader *reader, char wanted)
{
    static char fault[64];

    if (*reader->at == wanted) {
        reader->at++;
        return true;
    }
    snprintf(fault, sizeof fault, "%c is missing before \"%.20s\"", wanted, reader->at);
    return reader_fail(reader, fault);
}

static char *put_character(char *into, unsigned long character)
{
    if (character < 0x80) {
        *into++ = (char)character;
    } else if (character < 0x800) {
        *into++ = (char)(0xC0 | character >> 6);
        *into++ = (char)(0x80 | (character & 0x3F));
    } else {
        *into++ = (char)(0xE0 | character >> 12);
        *into++ = (char)(0x80 | (character >> 6 & 0x3F));
        *into++ = (char)(0x80 | (character & 0x3F));
    }
    return into;
}

static bool read_escape(reader *reader, char **into)
{
    static const char names[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    const char       *name = strchr(names, *reader->at);

    if (*reader->at && name) {
        *(*into)++ = meant[name - names];
        reader->at++;
        return true;
    }
    if (*reader->at != 'u' || strspn(reader->at + 1, "0123456789abcdefABCDEF") < 4)
        return reader_fail(reader, "an escape that JSON has not");
    *into = put_character(
        *into, strtoul((char[]){ reader->at[1], reader->at[2], reader->at[3], reader->at[4], 0 }, NULL, 16));
    reader->at += 5;
    return true;
}

static bool read_text(reader *reader, char *into)
{
    const char *end = into + VALUE_MAX - 8;

    if (!reader_expect(reader, '"'))
        return false;
    while (*reader->at != '"') {
        if (into >= end)
            return reader_fail(reader, "a text that is too long for the test");
        if ((unsigned char)*reader->at < 0x20)
            return reader_fail(reader, "a control character, or the end, in a text");
        if (*reader->at != '\\')
            *into++ = *reader->at++;
        else if (reader->at++, !read_escape(reader, &into))
            return false;
    }
    reader->at++;
    *into = '\0';
    return true;
}

/* Not negative, and without an exponent: there are none. */
static bool read_number(reader *reader, char *into)
{
    size_t whole = strspn(reader->at, "0123456789");
    size_t size = whole;

    if (whole == 0 || (whole > 1 && *reader->at == '0'))
        return reader_fail(reader, "no text and no number");
    if (reader->at[size] == '.') {
        size_t part = strspn(reader->at + size + 1, "0123456789");

        if (part == 0)
            return reader_fail(reader, "a number that ends with its point");
        size += 1 + part;
    }
    memcpy(into, reader->at, size);
    into[size] = '\0';
    reader->at += size;
    return true;
}

/* Reads the line, and puts the value under `wanted` into `found`. */
static const char *read_line(const char *line, const char *wanted, char *found, bool *has_found)
{
    static char names[NAMES_MAX][VALUE_MAX];
    static char value[VALUE_MAX];
    reader      reader = { .at = line };
    size_t      count = 0;

    if (vow_utf8_span(line, strlen(line)) != strlen(line))
        return "it is no UTF-8";
    if (!reader_expect(&reader, '{'))
        return reader.fault;
    do {
        if (count == NAMES_MAX)
            return "it has too many names for the test";
        if (!read_text(&reader, names[count]) || !reader_expect(&reader, ':'))
            return reader.fault;
        if (*reader.at == '"' ? !read_text(&reader, value) : !read_number(&reader, value))
            return reader.fault;
        for (size_t i = 0; i < count; i++) {
            if (strcmp(names[i], names[count]) == 0)
                return "a name occurs twice";
        }
        if (wanted && strcmp(names[count], wanted) == 0) {
            strcpy(found, value);
            *has_found = true;
        }
        count++;
    } while (*reader.at == ',' && reader.at++);
    if (!reader_expect(&reader, '}') || !reader_expect(&reader, '\n'))
        return reader.fault;
    return *reader.at ? "something follows the line" : NULL;
}

const char *json_fault(const char *line)
{
    return read_line(line, NULL, NULL, NULL);
}

const char *json_get(const char *line, const char *name)
{
    static char   values[VALUES][VALUE_MAX];
    static size_t next;
    char         *found = values[next++ % VALUES];
    bool          has_found = false;

    if (read_line(line, name, found, &has_found))
        fail_msg("\"%s\" is no JSON", line);
    return has_found ? found : NULL;
}
