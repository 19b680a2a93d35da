/*
 * TLS: who the other side is, and that nobody else reads along.
 *
 * The idea: one struct of options for both sides. A channel to tls://host:port or grpcs://host:port has TLS
 * without any of them, and trusts whom the system trusts; a server has TLS once it is given a certificate, on
 * the same ports as before. Certificates and keys are PEM, from files or from memory.
 *
 * The rule: a peer is verified unless the program says otherwise in so many words. TLS 1.2 and 1.3 are
 * spoken, without renegotiation and without early data.
 */
#ifndef VOW_TLS_H
#define VOW_TLS_H

#include <vow/status.h>

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Zero is the default of every field. All is read when the channel or server is opened, and copied. */
typedef struct vow_tls_options {
    size_t      size;             /* of this struct; VOW_TLS fills it in */
    const char *certificate_file; /* our own, and what leads from it to the CA; servers need one */
    const char *key_file;         /* its private key, without a passphrase; NULL: it is in certificate_file */
    const char *certificate_pem;  /* the same as text */
    const char *key_pem;          /* NULL: it is in certificate_pem */
    const char *ca_file; /* of whom peers may be. A channel: NULL is the system's store. A server: given, its
                            clients over TLS must have a certificate (mutual TLS); see is_required */
    const char *ca_pem;  /* the same as text */
    const char *server_name; /* a channel's: whom the server's certificate must name, and gRPC's :authority;
                                NULL: the target's host */
    bool   trusts_anybody;   /* a channel's: does not verify the server. Whoever is in between reads along */
    bool   may_be_anonymous; /* a server's with a CA: clients without a certificate are served as well */
    bool   is_required;      /* a server's: refuses connections without TLS, which it serves else */
    size_t max_handshakes_per_second; /* a server's: more wait for their turn; 1,000 */
    size_t max_handshakes;            /* a server's: at once; more are refused; 1,000 */
    const char
        *ticket_secret; /* a server's: those of other processes that have the same, certificates included,
                           resume its sessions; 32 bytes and more. NULL: those of this process alone do */
} vow_tls_options;

#define VOW_TLS(...) VOW_OPTIONS(vow_tls_options, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
