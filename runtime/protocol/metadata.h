/*
 * Metadata: which names and values may travel.
 *
 * The idea: checked where the user hands it over, so that the mistake is told to the one who made it and
 * nothing malformed ever leaves. What comes from a peer is checked by the protocol.
 *
 * Source: gRPC, "gRPC over HTTP/2", Custom-Metadata.
 */
#ifndef VOW_PROTOCOL_METADATA_H
#define VOW_PROTOCOL_METADATA_H

#include <vow/call.h>

/* Of one call, names and values and VOW_METADATA_ENTRY_CHARGE bytes for each entry; and of entries. */
#define VOW_MAX_METADATA_SIZE ((size_t)16 << 10)
#define VOW_MAX_METADATA_COUNT 100
#define VOW_METADATA_ENTRY_CHARGE 32

/* `metadata` may be NULL. Fails: VOW_INVALID_ARGUMENT, with the name and what is wrong with it;
 * VOW_RESOURCE_EXHAUSTED, too much of it. */
vow_code vow_metadata_check(const vow_metadata *metadata, vow_error *error);

/* Of a name alone: may it travel, and does it say that the value is bytes? */
bool vow_metadata_name_is_allowed(const char *name, size_t size);
bool vow_metadata_name_is_binary(const char *name, size_t size);

size_t vow_metadata_count(const vow_metadata *metadata);
size_t vow_metadata_value_size(const vow_metadata *entry);

#endif
