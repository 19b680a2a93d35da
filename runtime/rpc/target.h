/*
 * Targets: which protocol a URL's scheme stands for.
 *
 * The idea: one table. The transports read the rest of the URL themselves.
 */
#ifndef VOW_RPC_TARGET_H
#define VOW_RPC_TARGET_H

#include "runtime/protocol/protocol.h"

/* The protocol for `url`. NULL: `error` names the schemes that there are. */
const vow_protocol *vow_target_protocol(const char *url, vow_error *error);

#endif
