#include "runtime/protocol/metadata.h"

#include <string.h>

size_t vow_metadata_count(const vow_metadata *metadata)
{
    size_t count = 0;

    while (metadata && metadata[count].name)
        count++;
    return count;
}

size_t vow_metadata_value_size(const vow_metadata *entry)
{
    if (entry->value_size || !entry->value)
        return entry->value_size;
    return strlen(entry->value);
}

bool vow_metadata_name_is_allowed(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = name[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
            return false;
    }
    return size > 0 && (size < 5 || memcmp(name, "grpc-", 5) != 0);
}

bool vow_metadata_name_is_binary(const char *name, size_t size)
{
    return size > 4 && memcmp(name + size - 4, "-bin", 4) == 0;
}

static bool value_is_allowed(const vow_metadata *entry)
{
    size_t size = vow_metadata_value_size(entry);

    for (size_t i = 0; i < size; i++) {
        if (entry->value[i] < 0x20 || entry->value[i] > 0x7e)
            return false;
    }
    return true;
}

static vow_code metadata_check_size(const vow_metadata *metadata, vow_error *error)
{
    size_t count = vow_metadata_count(metadata);
    size_t charged = 0;

    if (count > VOW_MAX_METADATA_COUNT)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "metadata has %zu entries; %d are allowed", count,
                             VOW_MAX_METADATA_COUNT);
    for (size_t i = 0; i < count; i++)
        charged += strlen(metadata[i].name) + vow_metadata_value_size(&metadata[i]) + VOW_METADATA_ENTRY_CHARGE;
    if (charged > VOW_MAX_METADATA_SIZE)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED,
                             "metadata counts %zu bytes, %d for each entry included; %zu are allowed", charged,
                             VOW_METADATA_ENTRY_CHARGE, VOW_MAX_METADATA_SIZE);
    return VOW_OK;
}

vow_code vow_metadata_check(const vow_metadata *metadata, vow_error *error)
{
    if (metadata_check_size(metadata, error) != VOW_OK)
        return error->code;
    for (const vow_metadata *entry = metadata; entry && entry->name; entry++) {
        if (!vow_metadata_name_is_allowed(entry->name, strlen(entry->name)))
            return vow_error_set(error, VOW_INVALID_ARGUMENT,
                                 "metadata \"%.64s\": a name has the characters a-z 0-9 _ - . and does not begin with "
                                 "\"grpc-\"",
                                 entry->name);
        if (!vow_metadata_name_is_binary(entry->name, strlen(entry->name)) && !value_is_allowed(entry))
            return vow_error_set(error, VOW_INVALID_ARGUMENT,
                                 "metadata \"%.64s\": a value is printable ASCII; for bytes, end the name in \"-bin\"",
                                 entry->name);
    }
    return VOW_OK;
}
