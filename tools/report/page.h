/*
 * What the page and its plots share: text that is safe inside HTML and SVG.
 */
#ifndef TOOLS_REPORT_PAGE_H
#define TOOLS_REPORT_PAGE_H

#include <stdio.h>

/* What a series beyond the last colour has: the first again. */
#define PAGE_COLOURS 8

/* Control characters, which no page may hold, become spaces; what is no UTF-8 is left to the reader's
 * program. */
void page_escape(FILE *file, const char *text);

#endif
