/*
 * Bearer tokens as both sides know them.
 *
 * Source: RFC 6750, section 2.1.
 */
#ifndef VOW_SERVICE_BEARER_H
#define VOW_SERVICE_BEARER_H

#include <vow/bearer.h>

#define VOW_BEARER_METADATA "authorization"
#define VOW_BEARER_SCHEME "Bearer"

/* Is `text` a b64token: A-Z a-z 0-9 - . _ ~ + /, at least one, then any number of "="? */
bool vow_bearer_is_token(const char *text);

/* Of a list that ends with a NULL name. Gives how many are called `name`; the first of them is in *found. */
size_t vow_bearer_find(const vow_metadata *metadata, const char *name, const char **found);

#endif
