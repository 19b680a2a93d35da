/*
 * A greeting: finds out what a new connection speaks, by its first bytes.
 *
 * The idea: until that is known the connection has a session that does nothing but listen. It reads no
 * further than it must, gives the bytes back to the stream, and hands that over to the protocol which claims
 * them. TLS is put on the stream first, where the server has it; behind it ALPN says what is spoken, or else
 * the first bytes do.
 *
 * Who is refused is told why in its own protocol: a greeting that rpc closes with a reason goes on listening for a
 * second, without rpc, where it does not know yet what that is. Who speaks HTTP/1.1 is always refused, in HTTP/1.1.
 *
 * Source  RFC 9113, section 3.4 (the preface of HTTP/2); docs/native-protocol.md.
 */
#ifndef VOW_PROTOCOL_GREETING_H
#define VOW_PROTOCOL_GREETING_H

#include "runtime/protocol/protocol.h"

/* Takes the stream. What becomes of it comes as `recognised`, or as `closed`. NULL: no memory; the stream is
 * closed. */
vow_session *vow_greeting_open(vow_stream *stream, const vow_session_options *options,
                               const vow_session_events *events, void *owner);

#endif
