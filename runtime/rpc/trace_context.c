#include "runtime/rpc/trace_context.h"

#include "runtime/base/random.h"
#include "runtime/protocol/metadata.h"

#include <stdio.h>
#include <string.h>

/* Where the fields of a traceparent are. */
#define TRACE_ID_AT 3
#define TRACE_ID_SIZE 32
#define PARENT_ID_AT 36
#define PARENT_ID_SIZE 16
#define FLAGS_AT 53
#define TEXT_SIZE (VOW_TRACE_PARENT_SIZE - 1)

/* Section 3.3.1: list members, and the bytes of a key and of a value. */
#define MEMBERS_MAX 32
#define KEY_MAX 256
#define VALUE_MAX 256

/* traceparent */

static const char lower_hex[] = "0123456789abcdef";

static bool text_is_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!text[i] || !strchr(lower_hex, text[i]))
            return false;
    }
    return true;
}

static bool text_is_zero(const char *text, size_t size)
{
    return strspn(text, "0") >= size;
}

static unsigned hex_byte(const char *text)
{
    return (unsigned)((strchr(lower_hex, text[0]) - lower_hex) << 4 |
                      (strchr(lower_hex, text[1]) - lower_hex));
}

/* Section 3.2.2: version ff is forbidden; 00 ends with its flags; a later one may go on, behind a dash. */
static bool version_is_allowed(const char *text, size_t size)
{
    if (!text_is_hex(text, 2) || strncmp(text, "ff", 2) == 0)
        return false;
    return size == TEXT_SIZE || (strncmp(text, "00", 2) != 0 && text[TEXT_SIZE] == '-');
}

bool vow_trace_parse(const char *text, size_t size, vow_trace *trace)
{
    if (size < TEXT_SIZE || !version_is_allowed(text, size))
        return false;
    if (text[TRACE_ID_AT - 1] != '-' || text[PARENT_ID_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!text_is_hex(text + TRACE_ID_AT, TRACE_ID_SIZE) ||
        !text_is_hex(text + PARENT_ID_AT, PARENT_ID_SIZE) || !text_is_hex(text + FLAGS_AT, 2))
        return false;
    if (text_is_zero(text + TRACE_ID_AT, TRACE_ID_SIZE) || text_is_zero(text + PARENT_ID_AT, PARENT_ID_SIZE))
        return false;
    *trace = (vow_trace){ .flags = hex_byte(text + FLAGS_AT) & (VOW_TRACE_SAMPLED | VOW_TRACE_RANDOM) };
    memcpy(trace->trace_id, text + TRACE_ID_AT, TRACE_ID_SIZE);
    memcpy(trace->parent_id, text + PARENT_ID_AT, PARENT_ID_SIZE);
    return true;
}

void vow_trace_print(const vow_trace *trace, char text[VOW_TRACE_PARENT_SIZE])
{
    snprintf(text, VOW_TRACE_PARENT_SIZE, "00-%s-%s-%02x", trace->trace_id, trace->parent_id,
             trace->flags & 0xffu);
}

void vow_trace_draw_parent(vow_trace *trace, uint64_t *random)
{
    uint64_t id = vow_random_next(random);

    while (id == 0) /* section 3.2.2.4: all zeros are no id */
        id = vow_random_next(random);
    snprintf(trace->parent_id, sizeof trace->parent_id, "%016llx", (unsigned long long)id);
}

bool vow_trace_find(const vow_metadata *metadata, vow_trace *trace)
{
    const vow_metadata *found = NULL;

    for (const vow_metadata *entry = metadata; entry->name; entry++) {
        if (strcmp(entry->name, VOW_TRACE_PARENT) != 0)
            continue;
        if (found)
            return false;
        found = entry;
    }
    return found && vow_trace_parse(found->value, vow_metadata_value_size(found), trace);
}

bool vow_call_trace(const vow_call *call, vow_trace *trace)
{
    return vow_trace_find(vow_call_metadata(call), trace);
}

/* tracestate */

/* Section 3.3.1.3.1. Level 2 allows '@' anywhere but first, where Level 1 allows one, and digits first. */
static bool key_is_allowed(const char *key, size_t size)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";

    if (size == 0 || size > KEY_MAX || strchr("_-*/@", key[0]))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!key[i] || !strchr(allowed, key[i]))
            return false;
    }
    return true;
}

/* Printable ASCII; it cannot have a comma, where its member ends, nor end with a blank, which belongs to the
 * list. */
static bool value_is_allowed(const char *value, size_t size)
{
    if (size == 0 || size > VALUE_MAX)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < 0x20 || value[i] > 0x7e || value[i] == '=')
            return false;
    }
    return true;
}

static bool member_is_allowed(const char *member, size_t size)
{
    const char *equals = memchr(member, '=', size);
    size_t      key_size = equals ? (size_t)(equals - member) : 0;

    return equals && key_is_allowed(member, key_size) && value_is_allowed(equals + 1, size - key_size - 1);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Checks the members of one entry, and counts them. Empty ones are allowed. */
static bool members_are_allowed(const char *text, size_t size, size_t *count)
{
    const char *end = text + size;

    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *next = comma ? comma + 1 : end;
        const char *last = comma ? comma : end;

        while (text < last && is_blank(*text))
            text++;
        while (last > text && is_blank(last[-1]))
            last--;
        if (text < last && (++*count > MEMBERS_MAX || !member_is_allowed(text, (size_t)(last - text))))
            return false;
        text = next;
    }
    return true;
}

bool vow_trace_state_is_valid(const vow_metadata *metadata)
{
    size_t count = 0;

    for (const vow_metadata *entry = metadata; entry->name; entry++) {
        if (strcmp(entry->name, VOW_TRACE_STATE) == 0 &&
            !members_are_allowed(entry->value, vow_metadata_value_size(entry), &count))
            return false;
    }
    return true;
}
