/*
 * A status that is kept: a code, and a message that several owners share.
 *
 * The idea: the message is counted, so that handing a failure along a chain of futures copies a
 * pointer, with the details that came along. Success has no message and costs nothing. When there is
 * no memory for the text, a fixed one stands in: making a status cannot fail.
 *
 * The counts are not atomic: a status stays on its loop's thread.
 */
#ifndef VOW_BASE_STATUS_H
#define VOW_BASE_STATUS_H

#include <vow/status.h>

#include <stdarg.h>

typedef struct vow_details vow_details; /* see details.h */

typedef struct vow_text {
    size_t       handles; /* 0: a constant, which is never freed */
    size_t       size;
    size_t       printed; /* where in `bytes` the text for a log begins: behind the first one, or 0 */
    vow_details *details; /* NULL: none */
    char         bytes[]; /* "CODE: message"; ends with a NUL */
} vow_text;

typedef struct vow_status {
    vow_code  code;
    vow_text *text; /* NULL when code is VOW_OK */
} vow_status;

#define VOW_STATUS_OK ((vow_status){ VOW_OK, NULL })

/* Messages are cut at this size, between characters: a peer or a handler may send more than anybody reads. What is
 * not UTF-8 in them becomes '?'. */
#define VOW_STATUS_MESSAGE_MAX 4096

/* Gives a status (vow_status_done). VOW_OK is taken for VOW_UNKNOWN: a failure needs a code. */
vow_status vow_status_make(vow_code code, const char *format, ...) VOW_PRINTF(2, 3);
vow_status vow_status_make_list(vow_code code, const char *format, va_list arguments) VOW_PRINTF(2, 0);
vow_status vow_status_of_error(const vow_error *error);

/* The same with text that came from elsewhere, not ended by a NUL and perhaps not UTF-8. */
vow_status vow_status_copy_text(vow_code code, const char *text, size_t size);

/* Two that take no memory: for when there is none, and for what is cancelled a million times. */
vow_status vow_status_no_memory(void);
vow_status vow_status_cancelled(void);

/* Gives one more handle on the same text. */
vow_status vow_status_share(const vow_status *status);

void vow_status_done(vow_status *status);

/* "NOT_FOUND: no city called Atlantis", or "OK"; lives as long as the status. Control characters are escaped (\n,
 * \x1b): they would let a peer write into the lines of a log. */
const char *vow_status_text(const vow_status *status);

/* "no city called Atlantis", or "": as it was given, to be passed on. */
const char *vow_status_message(const vow_status *status);

#endif
