#include "runtime/rpc/target.h"

#include <string.h>

static const struct {
    const char         *scheme;
    const vow_protocol *protocol;
} targets[] = {
    { "tcp://", &vow_protocol_native },
    { "unix://", &vow_protocol_native },
    { "memory://", &vow_protocol_native },
};

const vow_protocol *vow_target_protocol(const char *url, vow_error *error)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (strncmp(url, targets[i].scheme, strlen(targets[i].scheme)) == 0)
            return targets[i].protocol;
    }
    vow_error_set(error, VOW_INVALID_ARGUMENT,
                  "\"%.100s\" is no target: write tcp://host:port, unix:///path or memory://name", url);
    return NULL;
}
