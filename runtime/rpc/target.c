#include "runtime/rpc/target.h"

#include <string.h>

static const struct {
    const char         *scheme;
    const char         *transport;
    const vow_protocol *protocol;
} schemes[] = {
    { "tcp://", "tcp://", &vow_protocol_native },       { "unix://", "unix://", &vow_protocol_native },
    { "memory://", "memory://", &vow_protocol_native }, { "grpc://", "tcp://", &vow_protocol_grpc },
    { "grpc+unix://", "unix://", &vow_protocol_grpc },  { "grpc+memory://", "memory://", &vow_protocol_grpc },
};

vow_code vow_target_read(const char *url, vow_target *target, vow_error *error)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t size = strlen(schemes[i].scheme);

        if (strncmp(url, schemes[i].scheme, size) != 0)
            continue;
        *target = (vow_target){ schemes[i].protocol, schemes[i].transport, url + size };
        if (!target->protocol->lacks)
            return VOW_OK;
        return vow_error_set(error, VOW_UNIMPLEMENTED,
                             "%.100s: this build of vow speaks no %s: it was made without %s", url,
                             target->protocol->name, target->protocol->lacks);
    }
    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "\"%.100s\" is no target: write tcp://host:port, unix:///path, memory://name or "
                         "grpc://host:port",
                         url);
}

vow_code vow_target_check_address(const char *url, vow_error *error)
{
    vow_target target = { NULL, "", "" };
    vow_code   code = vow_target_read(url, &target, error);

    if (code != VOW_OK || target.protocol == &vow_protocol_native)
        return code;
    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "cannot listen on %.100s: listen on %s%.100s, which serves every protocol", url,
                         target.transport, target.rest);
}
