#include "runtime/rpc/inherit.h"

#include "runtime/base/memory.h"
#include "runtime/rpc/trace_context.h"

#include <string.h>

/* What is sent, as it grows. */
typedef struct legacy {
    vow_call     *call;
    vow_metadata *entries; /* ended by a NULL name */
    size_t        count;
    size_t        own; /* of these, the first: the call's own, which win */
} legacy;

static const vow_metadata end_of_metadata = { NULL, NULL, 0 };

static bool names_have(const char *const *names, const char *name)
{
    for (; names && *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

static bool legacy_has_own(const legacy *legacy, const char *name)
{
    for (size_t i = 0; i < legacy->own; i++) {
        if (strcmp(legacy->entries[i].name, name) == 0)
            return true;
    }
    return false;
}

static void legacy_cut(legacy *legacy, size_t count)
{
    legacy->count = count;
    legacy->entries[count] = end_of_metadata;
}

static void legacy_add(legacy *legacy, const char *name, const char *value, size_t size)
{
    legacy->entries[legacy->count++] = (vow_metadata){ name, value, size };
    legacy->entries[legacy->count] = end_of_metadata;
}

static void legacy_add_all(legacy *legacy, const vow_metadata *received, const char *name)
{
    for (const vow_metadata *entry = received; entry->name; entry++) {
        if (strcmp(entry->name, name) == 0)
            legacy_add(legacy, entry->name, entry->value, entry->value_size);
    }
}

static bool name_is_of_a_trace(const char *name)
{
    return strcmp(name, VOW_TRACE_PARENT) == 0 || strcmp(name, VOW_TRACE_STATE) == 0;
}

static void legacy_add_chosen(legacy *legacy, const vow_metadata *received, const char *const *chosen)
{
    for (const vow_metadata *entry = received; entry->name; entry++) {
        if (names_have(chosen, entry->name) && !name_is_of_a_trace(entry->name) &&
            !legacy_has_own(legacy, entry->name))
            legacy_add(legacy, entry->name, entry->value, entry->value_size);
    }
}

/* False: no memory for it. */
static bool legacy_add_trace(legacy *legacy, const vow_metadata *received)
{
    size_t    before = legacy->count;
    vow_error error;
    vow_trace trace;
    char     *text;

    if (legacy_has_own(legacy, VOW_TRACE_PARENT) || !vow_trace_find(received, &trace))
        return true;
    text = vow_arena_alloc(&legacy->call->arena, VOW_TRACE_PARENT_SIZE);
    if (!text)
        return false;
    vow_trace_draw_parent(&trace, &vow_call_scheduler(legacy->call)->random);
    vow_trace_print(&trace, text);
    legacy_add(legacy, VOW_TRACE_PARENT, text, 0);
    if (!legacy_has_own(legacy, VOW_TRACE_STATE) && vow_trace_state_is_valid(received))
        legacy_add_all(legacy, received, VOW_TRACE_STATE);
    if (vow_metadata_check(legacy->entries, &error) != VOW_OK)
        legacy_cut(legacy, before);
    return true;
}

/* The call's own, with room for all that the parent received: it can inherit no more. */
static bool legacy_begin(legacy *legacy, vow_call *call, const vow_metadata *own,
                         const vow_metadata *received)
{
    size_t count = vow_metadata_count(own);

    *legacy = (struct legacy){ .call = call, .own = count };
    legacy->entries = vow_arena_alloc(&call->arena, (count + vow_metadata_count(received) + 1) * sizeof *own);
    if (!legacy->entries)
        return false;
    if (count)
        memcpy(legacy->entries, own, count * sizeof *own);
    legacy_cut(legacy, count);
    return true;
}

vow_code vow_inherit_metadata(vow_call *call, const vow_call *parent, const char *const *chosen,
                              const vow_metadata **metadata, vow_error *error)
{
    const vow_metadata *received = vow_call_is_callers(parent) ? &end_of_metadata : parent->received;
    legacy              legacy;

    if (!received->name)
        return VOW_OK;
    if (!legacy_begin(&legacy, call, *metadata, received))
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%s: no memory for metadata", call->method->name);
    legacy_add_chosen(&legacy, received, chosen);
    if (vow_metadata_check(legacy.entries, error) != VOW_OK)
        return error->code;
    if (!legacy_add_trace(&legacy, received))
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%s: no memory for metadata", call->method->name);
    *metadata = legacy.entries;
    return VOW_OK;
}

/* A channel's names */

static vow_code names_check(const char *const *names, size_t *count, size_t *size, vow_error *error)
{
    for (*count = 0, *size = 0; names[*count]; ++*count) {
        const char *name = names[*count];

        if (!vow_metadata_name_is_allowed(name, strlen(name)))
            return vow_error_set(
                error, VOW_INVALID_ARGUMENT,
                "metadata \"%.64s\" to be inherited: a name has the characters a-z 0-9 _ - . and does "
                "not begin with \"grpc-\"",
                name);
        if (*count == VOW_MAX_METADATA_COUNT)
            return vow_error_set(error, VOW_INVALID_ARGUMENT,
                                 "more than %d names of metadata to be inherited", VOW_MAX_METADATA_COUNT);
        *size += strlen(name) + 1;
    }
    return VOW_OK;
}

vow_code vow_inherit_copy_names(const char *const *names, const char *const **copied, vow_error *error)
{
    size_t       count;
    size_t       size;
    const char **copy;
    char        *text;

    *copied = NULL;
    if (!names)
        return VOW_OK;
    if (names_check(names, &count, &size, error) != VOW_OK)
        return error->code;
    copy = vow_alloc_zeroed((count + 1) * sizeof *copy + size);
    if (!copy)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED,
                             "no memory for the names of metadata to be inherited");
    text = (char *)(copy + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t name_size = strlen(names[i]) + 1;

        copy[i] = memcpy(text, names[i], name_size);
        text += name_size;
    }
    *copied = copy;
    return VOW_OK;
}
