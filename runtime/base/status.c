#include "runtime/base/status.h"

#include "runtime/base/details.h"
#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

#include <stdio.h>
#include <string.h>

#define CODE_COUNT 17

/* Of a control character in a log: \x1b. */
#define ESCAPE_SIZE 4

static const char *const code_names[CODE_COUNT] = {
    [VOW_OK] = "OK",
    [VOW_CANCELLED] = "CANCELLED",
    [VOW_UNKNOWN] = "UNKNOWN",
    [VOW_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [VOW_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [VOW_NOT_FOUND] = "NOT_FOUND",
    [VOW_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [VOW_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [VOW_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [VOW_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [VOW_ABORTED] = "ABORTED",
    [VOW_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [VOW_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [VOW_INTERNAL] = "INTERNAL",
    [VOW_UNAVAILABLE] = "UNAVAILABLE",
    [VOW_DATA_LOSS] = "DATA_LOSS",
    [VOW_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

/* Each code's text for when there is no memory for a better one. */
#define NO_MEMORY_TEXT "no memory for the message of this failure"

typedef struct constant_text {
    size_t       handles;
    size_t       size;
    size_t       printed;
    vow_details *details;
    char         bytes[80];
} constant_text;

static const constant_text code_texts[CODE_COUNT] = {
#define CODE_TEXT(code) [VOW_##code] = { 0, sizeof(#code ": " NO_MEMORY_TEXT) - 1, 0, NULL, #code ": " NO_MEMORY_TEXT }
    CODE_TEXT(OK),
    CODE_TEXT(CANCELLED),
    CODE_TEXT(UNKNOWN),
    CODE_TEXT(INVALID_ARGUMENT),
    CODE_TEXT(DEADLINE_EXCEEDED),
    CODE_TEXT(NOT_FOUND),
    CODE_TEXT(ALREADY_EXISTS),
    CODE_TEXT(PERMISSION_DENIED),
    CODE_TEXT(RESOURCE_EXHAUSTED),
    CODE_TEXT(FAILED_PRECONDITION),
    CODE_TEXT(ABORTED),
    CODE_TEXT(OUT_OF_RANGE),
    CODE_TEXT(UNIMPLEMENTED),
    CODE_TEXT(INTERNAL),
    CODE_TEXT(UNAVAILABLE),
    CODE_TEXT(DATA_LOSS),
    CODE_TEXT(UNAUTHENTICATED),
#undef CODE_TEXT
};

static const constant_text cancelled_text = { 0, sizeof "CANCELLED: cancelled" - 1, 0, NULL, "CANCELLED: cancelled" };

_Static_assert(offsetof(constant_text, bytes) == offsetof(vow_text, bytes), "a constant reads as a text");

const char *vow_code_name(vow_code code)
{
    return (unsigned)code < CODE_COUNT ? code_names[code] : code_names[VOW_UNKNOWN];
}

vow_code vow_error_set(vow_error *error, vow_code code, const char *format, ...)
{
    va_list arguments;

    if (!error)
        return code;
    error->code = code;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return code;
}

/* Codes from a peer or a user's mistake: what is no failure, or no code at all, is UNKNOWN. */
static vow_code failure_code(vow_code code)
{
    return code == VOW_OK || (unsigned)code >= CODE_COUNT ? VOW_UNKNOWN : code;
}

/* Nobody writes to a text without handles. */
static vow_status status_constant(vow_code code, const constant_text *text)
{
    return (vow_status){ code, (vow_text *)(uintptr_t)text };
}

static vow_status status_without_text(vow_code code)
{
    return status_constant(code, &code_texts[code]);
}

static vow_text *text_new(vow_code code, size_t message_size)
{
    const char *name = vow_code_name(code);
    size_t      prefix = strlen(name) + 2;
    vow_text   *text = vow_alloc(sizeof *text + prefix + message_size + 1);

    if (!text)
        return NULL;
    text->handles = 1;
    text->printed = 0;
    text->details = NULL;
    text->size = prefix + message_size;
    memcpy(text->bytes, name, prefix - 2);
    memcpy(text->bytes + prefix - 2, ": ", 2);
    text->bytes[text->size] = '\0';
    return text;
}

static bool byte_continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* Cuts the message at its bound, between two characters. What is not UTF-8 then becomes '?': the text may have to
 * travel, and a header that held it would be malformed. */
static void text_mend(vow_text *text, size_t message_size)
{
    char  *message = text->bytes + text->size - message_size;
    size_t kept = message_size;
    size_t good;

    if (message_size > VOW_STATUS_MESSAGE_MAX) {
        kept = VOW_STATUS_MESSAGE_MAX;
        while (kept > VOW_STATUS_MESSAGE_MAX - 3 && byte_continues(message[kept]))
            kept--;
        message[kept] = '\0';
        text->size -= message_size - kept;
    }
    for (; (good = vow_utf8_span(message, kept)) < kept; message += good + 1, kept -= good + 1)
        message[good] = '?';
}

static bool byte_is_control(char byte)
{
    return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* Writes `text` with its control characters escaped: each takes up to ESCAPE_SIZE bytes. */
static void escape_write(char *to, const char *text)
{
    static const char digits[] = "0123456789abcdef";

    for (; *text; text++) {
        if (!byte_is_control(*text)) {
            *to++ = *text;
            continue;
        }
        *to++ = '\\';
        if (*text == '\n' || *text == '\r' || *text == '\t') {
            *to++ = *text == '\n' ? 'n' : *text == '\r' ? 'r' : 't';
        } else {
            *to++ = 'x';
            *to++ = digits[(unsigned char)*text >> 4];
            *to++ = digits[*text & 15];
        }
    }
    *to = '\0';
}

/* A text with control characters has another one behind it, for logs. Gives the text, which may have moved; without
 * memory the characters become spaces. */
static vow_text *text_make_printable(vow_text *text)
{
    size_t    controls = 0;
    vow_text *larger;

    for (size_t i = 0; i < text->size; i++)
        controls += byte_is_control(text->bytes[i]);
    if (controls == 0)
        return text;
    larger = vow_resize(text, sizeof *text + (text->size + 1) * 2 + controls * (ESCAPE_SIZE - 1));
    if (larger) {
        larger->printed = larger->size + 1;
        escape_write(larger->bytes + larger->printed, larger->bytes);
        return larger;
    }
    for (size_t i = 0; i < text->size; i++) {
        if (byte_is_control(text->bytes[i]))
            text->bytes[i] = ' ';
    }
    return text;
}

vow_status vow_status_make_list(vow_code code, const char *format, va_list arguments)
{
    vow_text *text;
    va_list   again;
    int       size;
    size_t    kept;

    code = failure_code(code);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    kept = size < 0 ? 0 : (size_t)size > VOW_STATUS_MESSAGE_MAX ? VOW_STATUS_MESSAGE_MAX + 1 : (size_t)size;

    text = text_new(code, kept);
    if (!text)
        return status_without_text(code);
    vsnprintf(text->bytes + text->size - kept, kept + 1, format, arguments);
    text_mend(text, kept);
    return (vow_status){ code, text_make_printable(text) };
}

vow_status vow_status_make(vow_code code, const char *format, ...)
{
    va_list    arguments;
    vow_status status;

    va_start(arguments, format);
    status = vow_status_make_list(code, format, arguments);
    va_end(arguments);
    return status;
}

vow_status vow_status_of_error(const vow_error *error)
{
    return vow_status_make(error->code, "%s", error->message);
}

vow_status vow_status_copy_text(vow_code code, const char *bytes, size_t size)
{
    vow_text *text;

    code = failure_code(code);
    if (size > VOW_STATUS_MESSAGE_MAX)
        size = VOW_STATUS_MESSAGE_MAX + 1;
    text = text_new(code, size);
    if (!text)
        return status_without_text(code);
    for (size_t i = 0; i < size; i++)
        text->bytes[text->size - size + i] = bytes[i] ? bytes[i] : ' '; /* it would end the text */
    text_mend(text, size);
    return (vow_status){ code, text_make_printable(text) };
}

vow_status vow_status_no_memory(void)
{
    return status_without_text(VOW_RESOURCE_EXHAUSTED);
}

vow_status vow_status_cancelled(void)
{
    return status_constant(VOW_CANCELLED, &cancelled_text);
}

vow_status vow_status_share(const vow_status *status)
{
    if (status->text && status->text->handles)
        status->text->handles++;
    return *status;
}

void vow_status_done(vow_status *status)
{
    if (status->text && status->text->handles && --status->text->handles == 0) {
        vow_details_free(status->text->details);
        vow_free(status->text);
    }
    *status = VOW_STATUS_OK;
}

const char *vow_status_text(const vow_status *status)
{
    return status->text ? status->text->bytes + status->text->printed : vow_code_name(status->code);
}

const char *vow_status_message(const vow_status *status)
{
    return status->text ? status->text->bytes + strlen(vow_code_name(status->code)) + 2 : "";
}
