/*
 * UTF-8, as a C string may hold it.
 *
 * The idea: like strspn, one function says how far text is good. Most text is ASCII, which is
 * checked 32 bytes at a time.
 *
 * A NUL byte is not good: whoever gets the text as a `char *` would see it end there.
 */
#ifndef VOW_BASE_UTF8_H
#define VOW_BASE_UTF8_H

#include <stddef.h>

/*
 * How many bytes of `text`, from its start, are whole characters of UTF-8 other than NUL: `size` if
 * all are. Overlong forms, surrogates and what lies above U+10FFFF are none.
 *
 * Source  RFC 3629, section 4.
 */
size_t vow_utf8_span(const void *text, size_t size);

#endif
