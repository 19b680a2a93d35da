/*
 * Targets: which protocol a URL's scheme stands for, over which transport.
 *
 * The idea: one table. The transports read the rest of the URL themselves.
 */
#ifndef VOW_RPC_TARGET_H
#define VOW_RPC_TARGET_H

#include "runtime/protocol/protocol.h"

typedef struct vow_target {
    const vow_protocol *protocol;
    const char         *transport; /* "tcp://" */
    const char         *rest;      /* of the URL; lent by it */
    bool                is_secure; /* TLS is put on the transport */
} vow_target;

/* Fails: VOW_INVALID_ARGUMENT; `error` names the schemes that there are. */
vow_code vow_target_read(const char *url, vow_target *target, vow_error *error);

/* What a server may listen on: transports, each of which serves all protocols. Fails as vow_target_read does.
 */
vow_code vow_target_check_address(const char *url, vow_error *error);

/* Fails a target without TLS for which options of TLS are set. */
vow_code vow_target_check_no_tls(const char *url, const vow_tls_options *tls, vow_error *error);

#endif
