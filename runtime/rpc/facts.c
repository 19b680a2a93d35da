#include "runtime/base/memory.h"
#include "runtime/rpc/channel.h"
#include "runtime/rpc/server.h"

#include <string.h>

void vow_facts_keep(vow_facts *facts, const vow_session *session)
{
    facts->opened_ns = vow_scheduler_now_ns(vow_scheduler_of(session->loop));
    vow_stream_local(session->stream, facts->local, sizeof facts->local);
    memcpy(facts->agent, session->agent, sizeof facts->agent);
    facts->protocol = session->protocol->alpn;
    facts->tls = vow_stream_take_tls_facts(session->stream);
}

void vow_facts_done(vow_facts *facts)
{
    vow_free(facts->tls);
}

/* NULL: the call has no connection, or has not got one yet. */
static const vow_facts *call_facts(const vow_call *call)
{
    if (vow_call_is_missing(call))
        return NULL;
    if (!vow_call_is_callers(call))
        return &call->side.handling.peer->facts;
    return call->side.caller.connection ? &call->side.caller.connection->facts : NULL;
}

bool vow_call_connection(const vow_call *call, vow_connection_info *info)
{
    const vow_facts    *facts = call_facts(call);
    vow_connection_info filled = { .size = info->size };

    if (!facts)
        return false;
    filled.peer = call->peer;
    filled.local = facts->local;
    filled.protocol = facts->protocol;
    filled.agent = facts->agent;
    filled.opened_ns = facts->opened_ns;
    if (facts->tls) {
        filled.tls_version = facts->tls->version;
        filled.tls_was_resumed = facts->tls->was_resumed;
        filled.peer_subject = facts->tls->subject;
        filled.peer_issuer = facts->tls->issuer;
        filled.peer_names = facts->tls->names;
    }
    memcpy(info, &filled, info->size < sizeof filled ? info->size : sizeof filled);
    return true;
}
