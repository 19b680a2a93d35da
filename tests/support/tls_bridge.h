/*
 * Takes TLS off a socket, so that a peer which writes its frames by hand can speak behind it.
 *
 * The idea: a thread of its own is the server of the handshake, and carries bytes between the socket and one
 * end of a pair of sockets; the peer has the other end.
 */
#ifndef VOW_TESTS_TLS_BRIDGE_H
#define VOW_TESTS_TLS_BRIDGE_H

typedef struct tls_bridge tls_bridge;

/* Puts it between `*fd`, which it takes, and the descriptor that `*fd` is set to. ALPN agrees on the client's
 * first. */
tls_bridge *tls_bridge_start(int *fd);

/* After the peer has closed its end. Gives the server name that the client asked for (SNI), "" without; for
 * free. */
char *tls_bridge_end(tls_bridge *bridge);

#endif
