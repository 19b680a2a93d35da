/*
 * What a call sends on behalf of the call that it was made for, beside its deadline and its cancellation.
 *
 * The idea: a handler that asks others names its own call as their parent. What came with that call goes on
 * with theirs: the trace context always, other metadata where the channel says so. It is never what the
 * parent's peer answered: a parent that is itself a caller's call hands nothing on.
 *
 * The rule: what a call sets itself wins, name by name. Too much chosen metadata fails the call, as its own
 * would; a trace that does not fit beside the rest is left out, since a trace must not make calls fail.
 */
#ifndef VOW_RPC_INHERIT_H
#define VOW_RPC_INHERIT_H

#include "runtime/rpc/call.h"

/* Adds to *metadata what `call`, over a channel with `chosen` names (NULL: none), has of `parent`. The list
 * is made in the call's memory; its entries are lent by the parent. Fails: VOW_RESOURCE_EXHAUSTED. */
vow_code vow_inherit_metadata(vow_call *call, const vow_call *parent, const char *const *chosen,
                              const vow_metadata **metadata, vow_error *error);

/* Copies names that a channel was given (NULL: none) into one block, for vow_free.
 * Fails: VOW_RESOURCE_EXHAUSTED; VOW_INVALID_ARGUMENT: a name that no metadata can have, or too many. */
vow_code vow_inherit_copy_names(const char *const *names, const char *const **copied, vow_error *error);

#endif
