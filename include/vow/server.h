/*
 * Servers: handlers for methods, and the addresses they are reached at.
 *
 * The idea: a server belongs to one loop. To use more processors, run the same setup on a loop per
 * thread with vow_threads_start: the threads share their ports and nothing else.
 *
 * Addresses: tcp://host:port (port 0: the system chooses), unix:///path, memory://name.
 */
#ifndef VOW_SERVER_H
#define VOW_SERVER_H

#include <vow/call.h>
#include <vow/loop.h>
#include <vow/method.h>
#include <vow/tls.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vow_server vow_server;

/** Zero is the default of every field. */
typedef struct vow_server_options {
    size_t   size;                     /* of this struct; VOW_SERVER fills it in */
    size_t   max_message_size;         /* bytes of a request as it is sent; 4 MiB */
    size_t   max_decoded_size;         /* bytes of memory that a request may take; 16 MiB */
    size_t   max_connections;          /* per listener; 10,000 */
    size_t   max_connections_per_peer; /* per address, loopback and Unix sockets exempt; 256 */
    size_t   max_calls;                /* running at once, VOW_RESOURCE_EXHAUSTED beyond; 1,000 */
    size_t   max_calls_per_connection; /* told to the peer, which queues beyond; 1,000 */
    size_t   max_memory;               /* bytes held for peers, all connections together; 512 MiB */
    int64_t  hello_timeout_ms;         /* for a new connection to say what it speaks, and for a begun message; 10,000 */
    unsigned unix_mode;                /* permissions of a Unix socket's file; 0600 */
    size_t   stream_window;            /* bytes of a stream that may be on their way to the reader, at first; 64 KiB */
    int64_t  keepalive_ms;             /* of silence before a ping asks whether the client is there; 7,200,000 (2 h);
                                          VOW_NO_TIMEOUT: never; at least 10,000 */
    int64_t  keepalive_timeout_ms;     /* for anything to come after that ping; 20,000 */
    int64_t  min_ping_interval_ms;     /* between a client's pings while it has no calls; 300,000 (5 min);
                                          VOW_NO_TIMEOUT: as it likes */
    int64_t  max_idle_ms;              /* a connection without calls for so long is ended; 0: never */
    int64_t  max_age_ms;               /* so old a connection is, ±10 %, when it is drained; 0: never */
    int64_t  max_age_grace_ms;         /* for its calls then; 30,000; VOW_NO_TIMEOUT: any */
    int64_t  lame_duck_ms;             /* of a drain, in which all is served as before; 0 */
    size_t   max_inflate_ratio;        /* how many times its size a compressed request may become, beyond 64 KiB; 100 */
    const vow_tls_options *tls;        /* certificate and key; see VOW_TLS; copied. NULL: no TLS */
} vow_server_options;

#define VOW_SERVER(...) VOW_OPTIONS(vow_server_options, __VA_ARGS__)

typedef struct vow_handler vow_handler;

/** Serves one call. `request` is NULL where the client streams.
 *  `handler` is the server's copy of what was added, lent until this function returns. */
typedef void vow_serve_fn(vow_call *call, const ProtobufCMessage *request, const vow_handler *handler);

/** What serves one method. Generated code makes these; a proxy makes its own and finds its state in `arg`. */
struct vow_handler {
    size_t            size;    /* of this struct */
    const vow_method *method;  /* NULL: all that has no other handler; request and reply are vow_raw */
    vow_serve_fn     *serve;   /* NULL answers VOW_UNIMPLEMENTED */
    const void       *service; /* for generated code: its struct of functions, which `serve` calls; else NULL */
    void             *arg;     /* for whom `serve` calls, or for itself */
};

/**
 * Opens a server without handlers or addresses.
 *
 * Owns    gives the server (vow_server_close); copies `options` (NULL: all defaults).
 */
VOW_API vow_server *vow_server_open(vow_loop *loop, const vow_server_options *options) VOW_MUST_USE;

/** Adds a handler, or replaces the method's. Copies `handler`; what it points to must outlive the server. */
VOW_API void vow_server_handle(vow_server *server, const vow_handler *handler);

/** Calls `each` for every handler, lent for the length of the call, in no particular order. */
VOW_API void vow_server_each_handler(const vow_server *server, void (*each)(const vow_handler *handler, void *arg),
                                     void *arg);

/**
 * Listens on `address`. A server may listen on several.
 *
 * A Unix socket's file that nobody listens on any more is replaced; any other file is an error.
 *
 * Fails   VOW_ALREADY_EXISTS: the address is in use. VOW_PERMISSION_DENIED. VOW_INVALID_ARGUMENT: no such
 *         address, or a certificate or key that is no good. VOW_RESOURCE_EXHAUSTED: memory, file descriptors, or an
 *         earlier vow_server_handle found none.
 */
VOW_API vow_code vow_server_listen(vow_server *server, const char *address, vow_error *error);

/** The port of the last tcp:// address listened on; 0: none. For port 0. */
VOW_API int vow_server_port(const vow_server *server);

/**
 * Reads certificates, keys and CAs again: connections that come from now on have them, those that there are go on.
 *
 * Sessions of before are resumed only where certificates and CAs are the same. Each server of vow_threads_start has
 * its own.
 *
 * Owns    copies `options`; NULL: those of before, whose files are read again.
 * Fails   VOW_INVALID_ARGUMENT: a file is no good; all stays as it was. VOW_FAILED_PRECONDITION: the server was opened
 *         without TLS, and `options` is NULL.
 */
VOW_API vow_code vow_server_reload_tls(vow_server *server, const vow_tls_options *options, vow_error *error);

/** Closes listeners and connections; calls that run are cancelled. Owns: takes `server`. */
VOW_API void vow_server_close(vow_server *server);

/**
 * Stops in good order: no new connections; peers are told to go elsewhere; what they begin until they
 * know is still served; when the last answer has come, connections close and the future succeeds.
 *
 * Handlers see vow_call_draining, and are told by vow_call_when_draining. With the option lame_duck_ms the server
 * serves as before for that time, which is a part of the grace, and then does all this.
 *
 * Units   milliseconds on the loop's clock.
 * Owns    borrows `server`: vow_server_close is still due.
 * Fails   VOW_DEADLINE_EXCEEDED: grace was over, the rest has been cancelled. Cancelling the future ends the
 *         grace at once.
 */
VOW_API vow_future *vow_server_drain(vow_server *server, int64_t grace_ms) VOW_MUST_USE;

/* A loop per thread */

typedef struct vow_threads vow_threads;

/** Opens a server on `loop`, adds its handlers and listens. It is drained and closed by vow_threads_stop. */
typedef vow_code vow_setup_fn(vow_loop *loop, size_t index, void *arg, vow_error *error);

/**
 * Starts `count` threads with a loop each, and runs `setup` on each in turn.
 *
 * Threads that listen on the same address share it: connections are spread evenly, and port 0 means
 * one port for all. Returns when every thread has set up.
 *
 * Owns    gives the threads (vow_threads_stop).
 * Fails   NULL, as the first `setup` that failed, whose thread's index the message names; all are stopped.
 */
VOW_API vow_threads *vow_threads_start(size_t count, vow_setup_fn *setup, void *arg, vow_error *error)
    VOW_MUST_USE;

/** Drains the servers of every thread for up to `grace_ms`, closes them, and joins. Owns: takes `threads`. */
VOW_API void vow_threads_stop(vow_threads *threads, int64_t grace_ms);

#ifdef __cplusplus
}
#endif
#endif
