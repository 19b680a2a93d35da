#include "runtime/transport/tls/tls.h"

#include <string.h>

/* A server has sent a ticket. The oldest makes room. 1: the session is ours. */
static int session_came(SSL *ssl, SSL_SESSION *session)
{
    const vow_tls_stream *tls = SSL_get_app_data(ssl);
    vow_tls_session      *sessions = tls->context->sessions;

    SSL_SESSION_free(sessions[VOW_TLS_SESSIONS_MAX - 1].session);
    memmove(sessions + 1, sessions, (VOW_TLS_SESSIONS_MAX - 1) * sizeof *sessions);
    sessions[0].session = session;
    memcpy(sessions[0].host, tls->host, sizeof tls->host);
    return 1;
}

void vow_tls_sessions_init(vow_tls_context *context)
{
    if (context->is_server) { /* tickets hold all there is to know */
        SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_OFF);
        return;
    }
    SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context->ssl, session_came);
}

void vow_tls_sessions_done(vow_tls_context *context)
{
    for (size_t i = 0; i < VOW_TLS_SESSIONS_MAX; i++)
        SSL_SESSION_free(context->sessions[i].session);
}

/* RFC 8446, appendix C.4: a ticket is used once, or whoever watches links the connections. */
void vow_tls_sessions_use(vow_tls_stream *tls)
{
    vow_tls_session *sessions = tls->context->sessions;

    for (size_t i = 0; i < VOW_TLS_SESSIONS_MAX; i++) {
        if (!sessions[i].session || strcmp(sessions[i].host, tls->host) != 0)
            continue;
        SSL_set_session(tls->ssl, sessions[i].session);
        SSL_SESSION_free(sessions[i].session);
        sessions[i].session = NULL;
        return;
    }
}
