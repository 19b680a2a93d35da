/*
 * A line of text for people and programs: put together piece by piece, in memory that somebody lends.
 *
 * The idea: a line has room for so many bytes and never takes more. What others have sent goes through
 * vow_line_escape, which knows the few ways to write it down such that it stays inside its quotes and on its
 * line, whatever it is, and such that a terminal or an editor shows what is there.
 */
#ifndef VOW_SERVICE_LINE_H
#define VOW_SERVICE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vow_line {
    char  *data; /* ends with a NUL at `size` */
    size_t size;
    size_t room; /* bytes it may have, the NUL not counted */
} vow_line;

/* `capacity` bytes at `data`, at least 1. */
void vow_line_init(vow_line *line, char *data, size_t capacity);

/* These put as much as there is room for. */
void vow_line_put(vow_line *line, const char *text);
void vow_line_put_number(vow_line *line, uint64_t number);
void vow_line_put_digits(vow_line *line, uint64_t number, size_t digits); /* with zeros before it */

/*
 * How to write down what is no plain text. A quote, a backslash and the end of a line have a backslash before
 * them in all of these. Beside them:
 */
typedef enum vow_escape {
    VOW_ESCAPE_TEXT,  /* as in JSON; bytes that are not UTF-8: \xNN */
    VOW_ESCAPE_JSON,  /* RFC 8259, section 7; bytes that are not UTF-8: U+FFFD */
    VOW_ESCAPE_LABEL, /* Prometheus, which knows no other escapes: U+FFFD for all that */
} vow_escape;

/*
 * Puts `text` in at most `max` bytes (3 or more), and so that `reserve` bytes of the line stay free. What
 * does not fit is cut between characters, and "..." says so.
 */
void vow_line_escape(vow_line *line, vow_escape escape, const char *text, size_t max, size_t reserve);

/* Is all of it UTF-8 without control characters, ends of lines, or marks that turn the direction of writing?
 */
bool vow_text_is_plain(const char *text);

#endif
