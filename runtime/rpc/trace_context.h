/*
 * W3C Trace Context: the two metadata that say which trace a call belongs to.
 *
 *     traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *                  version, trace id, id of the call that asks (parent id), flags; all lower-case hex
 *     tracestate:  rojo=00f067aa0ba902b7,congo=t61rcWkgMzE
 *                  what tracing systems add, each under its own key
 *
 * The idea: vow begins no traces and samples none. It reads what a caller sent, and writes what a call made
 * on that caller's behalf sends on; a tracing system does the rest.
 *
 * The rule: what is malformed is not there. A traceparent of a later version is read as far as version 00
 * goes.
 *
 * Source: W3C Trace Context, Level 1 (Recommendation) and Level 2 (the random flag, keys that begin with a
 * digit).
 */
#ifndef VOW_RPC_TRACE_CONTEXT_H
#define VOW_RPC_TRACE_CONTEXT_H

#include <vow/call.h>

#define VOW_TRACE_PARENT "traceparent"
#define VOW_TRACE_STATE "tracestate"

/* Bytes of a traceparent of version 00, and its NUL. */
#define VOW_TRACE_PARENT_SIZE 56

/* False: it is malformed, and `trace` was not written. */
bool vow_trace_parse(const char *text, size_t size, vow_trace *trace);

/* Writes it in version 00. */
void vow_trace_print(const vow_trace *trace, char text[VOW_TRACE_PARENT_SIZE]);

/* A parent id for a new call, from random numbers. */
void vow_trace_draw_parent(vow_trace *trace, uint64_t *random);

/* Reads the one traceparent among `metadata`. False: there is none, several, or it is malformed. */
bool vow_trace_find(const vow_metadata *metadata, vow_trace *trace);

/* Is what all entries of tracestate say together well-formed? It may be nothing. */
bool vow_trace_state_is_valid(const vow_metadata *metadata);

#endif
