/* Stands in for TLS in a build without OpenSSL: says what is missing. */
#include "runtime/transport/tls.h"

vow_code vow_tls_context_new(bool is_server, const vow_tls_options *options, const char *const *alpn,
                             vow_tls_context **made, vow_error *error)
{
    (void)is_server;
    (void)options;
    (void)alpn;
    (void)made;
    return vow_error_set(error, VOW_UNIMPLEMENTED,
                         "this build of vow has no TLS: it was made without OpenSSL (the option VOW_TLS)");
}

/* There are no contexts and no TLS streams, so that none of the others has anything to do. */

void vow_tls_context_drop(vow_tls_context *context)
{
    (void)context;
}

vow_code vow_tls_context_again(const vow_tls_context *context, vow_tls_context **made, vow_error *error)
{
    (void)context;
    return vow_tls_context_new(true, NULL, NULL, made, error);
}

const char *vow_tls_context_server_name(const vow_tls_context *context)
{
    (void)context;
    return NULL;
}

bool vow_tls_context_is_required(const vow_tls_context *context)
{
    (void)context;
    return false;
}

vow_tls_turn_time vow_tls_turn_take(vow_tls_turn *turn, vow_tls_context *context, vow_scheduler *scheduler,
                                    uint64_t latest_ns)
{
    (void)turn;
    (void)context;
    (void)scheduler;
    (void)latest_ns;
    return VOW_TLS_TURN_TOO_LATE;
}

void vow_tls_turn_give(vow_tls_turn *turn)
{
    (void)turn;
}

bool vow_tls_context_is_busy(const vow_tls_context *context)
{
    (void)context;
    return true;
}

vow_stream *vow_tls_connected(vow_tls_context *context, vow_stream *stream, const char *host,
                              const char *target)
{
    (void)context;
    (void)host;
    (void)target;
    vow_stream_close(stream);
    return NULL;
}

vow_stream *vow_tls_accepted(vow_tls_context *context, vow_stream *stream)
{
    return vow_tls_connected(context, stream, "", "");
}

bool vow_stream_is_tls(const vow_stream *stream)
{
    (void)stream;
    return false;
}

size_t vow_stream_hidden_memory(const vow_stream *stream)
{
    (void)stream;
    return 0;
}

bool vow_stream_is_shaking_hands(const vow_stream *stream)
{
    (void)stream;
    return false;
}

const char *vow_stream_alpn(const vow_stream *stream)
{
    (void)stream;
    return NULL;
}

vow_tls_facts *vow_stream_take_tls_facts(vow_stream *stream)
{
    (void)stream;
    return NULL;
}
