#include "runtime/rpc/target.h"

#include <string.h>

static const struct {
    const char         *scheme;
    const char         *transport;
    const vow_protocol *protocol;
    bool                is_secure;
} schemes[] = {
    { "tcp://", "tcp://", &vow_protocol_native, false },
    { "unix://", "unix://", &vow_protocol_native, false },
    { "memory://", "memory://", &vow_protocol_native, false },
    { "tls://", "tcp://", &vow_protocol_native, true },
    { "tls+unix://", "unix://", &vow_protocol_native, true },
    { "tls+memory://", "memory://", &vow_protocol_native, true },
    { "grpc://", "tcp://", &vow_protocol_grpc, false },
    { "grpc+unix://", "unix://", &vow_protocol_grpc, false },
    { "grpc+memory://", "memory://", &vow_protocol_grpc, false },
    { "grpcs://", "tcp://", &vow_protocol_grpc, true },
    { "grpcs+unix://", "unix://", &vow_protocol_grpc, true },
    { "grpcs+memory://", "memory://", &vow_protocol_grpc, true },
};

vow_code vow_target_read(const char *url, vow_target *target, vow_error *error)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t size = strlen(schemes[i].scheme);

        if (strncmp(url, schemes[i].scheme, size) != 0)
            continue;
        *target = (vow_target){ schemes[i].protocol, schemes[i].transport, url + size, schemes[i].is_secure };
        if (!target->protocol->lacks)
            return VOW_OK;
        return vow_error_set(error, VOW_UNIMPLEMENTED,
                             "%.100s: this build of vow speaks no %s: it was made without %s", url,
                             target->protocol->name, target->protocol->lacks);
    }
    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "\"%.100s\" is no target: write tcp://host:port, unix:///path, memory://name, "
                         "tls://host:port, grpc://host:port or grpcs://host:port",
                         url);
}

vow_code vow_target_check_address(const char *url, vow_error *error)
{
    vow_target target = { NULL, "", "", false };
    vow_code   code = vow_target_read(url, &target, error);

    if (code != VOW_OK || (target.protocol == &vow_protocol_native && !target.is_secure))
        return code;
    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "cannot listen on %.100s: listen on %s%.100s, which serves every protocol", url,
                         target.transport, target.rest);
}

/* Who says whom to trust, or who he is, does not want to be heard by all on the way. */
vow_code vow_target_check_no_tls(const char *url, const vow_tls_options *tls, vow_error *error)
{
    if (!tls || (!tls->certificate_file && !tls->key_file && !tls->certificate_pem && !tls->key_pem && !tls->ca_file &&
                 !tls->ca_pem && !tls->server_name && !tls->trusts_anybody))
        return VOW_OK;
    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "%.100s: options of TLS are set (VOW_CHANNEL(.tls = ...)), and this target is without: write "
                         "tls:// or grpcs://, or leave them out",
                         url);
}
