/*
 * Comments of a .proto file, carried over to C.
 *
 * The rule: whatever the author wrote, what comes out is one C comment. Nothing in it ends the
 * comment, opens another, joins lines, or shows a reader something else than the compiler reads.
 */
#ifndef VOW_GENERATOR_COMMENTS_H
#define VOW_GENERATOR_COMMENTS_H

#include "text.h"

/* Writes `comment` and, after an empty line, `line`, which is C already. Either may be NULL: with one line to
 * say, that is one line of C. */
void vow_comment_write(vow_text *text, const char *comment, const char *line);

#endif
