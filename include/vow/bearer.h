/*
 * Bearer tokens: "authorization: Bearer TOKEN", asked for by a server and sent by a channel.
 *
 * The idea: two interceptors. The server's hands the token to a function of yours, which may ask another
 * service: it answers with a future of who that is. The channel's asks a function of yours for a token, keeps
 * it until it expires, and gets a new one once for all calls that wait for it.
 *
 * The rule: whoever has the token may do what it allows. vow never logs or echoes one; it crosses the network
 * as it is, so use a transport that others cannot read.
 *
 * Source: RFC 6750, "The OAuth 2.0 Authorization Framework: Bearer Token Usage", section 2.1.
 */
#ifndef VOW_BEARER_H
#define VOW_BEARER_H

#include <vow/interceptor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A server that asks for tokens */

/**
 * Says whose token it is: a future whose value is the identity, NULL for one without a name. Its failure is
 * the call's status. NULL instead of a future refuses the token, as VOW_UNAUTHENTICATED.
 *
 * `token` is lent as long as the call. The future is cancelled when the call ends before.
 */
typedef vow_future *vow_bearer_verify_fn(vow_call *call, const char *token, void *arg);

/** Zero is the default of every field. */
typedef struct vow_bearer_options {
    size_t                   size;           /* of this struct; VOW_BEARER fills it in */
    const vow_method *const *open_methods;   /* need no token; ended by NULL, lent */
    size_t                   max_token_size; /* bytes; 8 KiB */
} vow_bearer_options;

#define VOW_BEARER(...) VOW_OPTIONS(vow_bearer_options, __VA_ARGS__)

typedef struct vow_bearer_verifier vow_bearer_verifier;

/**
 * Owns    gives the verifier (vow_bearer_verifier_free); copies `options` (NULL: all defaults).
 * Fails   NULL: no memory.
 */
VOW_API vow_bearer_verifier *vow_bearer_verifier_new(const vow_bearer_options *options,
                                                     vow_bearer_verify_fn *verify, void *arg) VOW_MUST_USE;

/** Owns: takes `verifier`, which no server has any more. */
VOW_API void vow_bearer_verifier_free(vow_bearer_verifier *verifier);

/**
 * For vow_server_intercept, lent as long as the verifier. NULL refuses every call.
 *
 * Calls without one well-formed token fail as VOW_UNAUTHENTICATED, with what was expected.
 */
VOW_API const vow_interceptor *vow_bearer_verifier_interceptor(const vow_bearer_verifier *verifier);

/** In a handler: who the caller is, as `verify` said, lent as long as the call. NULL: a method that needs no
 * token. */
VOW_API void *vow_bearer_identity(vow_call *call);

/** Are the two the same? The time it takes tells nothing of `secret` but its size. */
VOW_API bool vow_bearer_equal(const char *token, const char *secret);

/** A vow_bearer_verify_fn for one token that does not change: `arg` is that token, and the identity. */
VOW_API vow_future *vow_bearer_verify_static(vow_call *call, const char *token, void *arg) VOW_MUST_USE;

/* A channel that sends them */

/** What a vow_bearer_fetch_fn's future has for a value. */
typedef struct vow_bearer_token {
    const char *text;        /* as RFC 6750 has it: A-Z a-z 0-9 - . _ ~ + /, then any number of = */
    int64_t     lifetime_ms; /* from now on; 0: for the calls that wait; VOW_NO_TIMEOUT: for good */
} vow_bearer_token;

/** Gets a token: a future of a vow_bearer_token. NULL: there is none, and the calls that wait fail. Must not
 * use the channels that it is for. */
typedef vow_future *vow_bearer_fetch_fn(vow_loop *loop, void *arg);

/** Zero is the default of every field. */
typedef struct vow_bearer_source_options {
    size_t  size;     /* of this struct; VOW_BEARER_SOURCE fills it in */
    int64_t early_ms; /* before a token expires, a new one is got; 10,000, and at most half of its lifetime */
} vow_bearer_source_options;

#define VOW_BEARER_SOURCE(...) VOW_OPTIONS(vow_bearer_source_options, __VA_ARGS__)

typedef struct vow_bearer_source vow_bearer_source;

/**
 * Tokens for the channels of one loop. Nothing is fetched before the first call.
 *
 * However many calls wait, one fetch is under way at a time; they share what becomes of it, its failure too.
 * A token that a server answered with VOW_UNAUTHENTICATED is not used again.
 *
 * Owns    gives the source (vow_bearer_source_free); copies `options` (NULL: all defaults).
 * Fails   NULL: no memory.
 */
VOW_API vow_bearer_source *vow_bearer_source_new(vow_loop *loop, const vow_bearer_source_options *options,
                                                 vow_bearer_fetch_fn *fetch, void *arg) VOW_MUST_USE;

/** Owns: takes `source`, which no channel has any more; a fetch under way is cancelled. */
VOW_API void vow_bearer_source_free(vow_bearer_source *source);

/** For vow_channel_intercept, lent as long as the source. NULL fails every call. A call whose own metadata
 * has "authorization" keeps that. */
VOW_API const vow_interceptor *vow_bearer_source_interceptor(const vow_bearer_source *source);

#ifdef __cplusplus
}
#endif
#endif
