#include "runtime/protocol/native/session.h"

#include "runtime/protocol/metadata.h"

#include <string.h>

static vow_code entries_check_size(const vow_native *native, const vow_entries *entries, size_t *text,
                                   vow_error *error)
{
    const vow_session_options *options = &native->base.options;
    vow_entries                left = *entries;
    vow_bytes                  name, value;
    size_t                     charged = 0;

    *text = 0;
    while (vow_header_next_metadata(&left, &name, &value)) {
        *text += name.size + value.size + 2;
        charged += name.size + value.size + VOW_METADATA_ENTRY_CHARGE;
    }
    if (entries->count > options->max_metadata_count)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "metadata has %u entries; %zu are allowed", entries->count,
                             options->max_metadata_count);
    if (charged > options->max_metadata_size)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED,
                             "metadata counts %zu bytes, %d for each entry included; %zu are allowed", charged,
                             VOW_METADATA_ENTRY_CHARGE, options->max_metadata_size);
    return VOW_OK;
}

/* A name with a NUL would be another one once it is a string. */
static bool name_is_whole(vow_bytes name)
{
    return name.size > 0 && !memchr(name.data, '\0', name.size);
}

static char *text_put(char **at, vow_bytes bytes)
{
    char *text = *at;

    if (bytes.size)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    *at += bytes.size + 1;
    return text;
}

vow_code vow_entries_read(vow_native *native, const vow_entries *entries, vow_metadata **metadata, size_t *block_size,
                          vow_error *error)
{
    vow_blocks   *blocks = &vow_native_scheduler(native)->blocks;
    vow_entries   left = *entries;
    vow_bytes     name, value;
    vow_metadata *entry;
    size_t        text;
    char         *at;
    bool          all_whole = true;

    *metadata = NULL;
    if (entries->count == 0)
        return VOW_OK;
    if (entries_check_size(native, entries, &text, error) != VOW_OK)
        return error->code;
    *block_size = (entries->count + 1) * sizeof *entry + text;
    *metadata = vow_blocks_take(blocks, block_size);
    if (!*metadata)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no memory for metadata");
    entry = *metadata;
    at = (char *)(entry + entries->count + 1);
    for (; vow_header_next_metadata(&left, &name, &value); entry++) {
        all_whole = all_whole && name_is_whole(name);
        *entry = (vow_metadata){ text_put(&at, name), text_put(&at, value), value.size };
    }
    *entry = (vow_metadata){ NULL, NULL, 0 };
    if (!all_whole)
        vow_error_set(error, VOW_INVALID_ARGUMENT, "metadata has a name that is empty, or has a NUL in it");
    else if (vow_metadata_check(*metadata, error) == VOW_OK)
        return VOW_OK;
    vow_blocks_give(blocks, *metadata, *block_size);
    *metadata = NULL;
    return error->code;
}

void vow_entries_free(vow_native *native, vow_metadata *metadata, size_t block_size)
{
    if (metadata)
        vow_blocks_give(&vow_native_scheduler(native)->blocks, metadata, block_size);
}
