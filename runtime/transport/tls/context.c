#include "runtime/base/memory.h"
#include "runtime/transport/tls/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <string.h>

/* RFC 9113, section 9.2.2: what HTTP/2 allows of TLS 1.2. */
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

/* AES with 128 bits first, which is as good and costs a sixth less than 256, where a client leaves it to us.
 */
#define TLS13_CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* A client asks for one, and a connection lives long: further ones would be thrown away. */
#define TICKETS 1

/* A handshake takes 0.4 ms of a server with a key of P-256, and more with one of RSA: what it does besides
 * goes on, and ten thousand clients that come back at once have connected in ten seconds. */
#define HANDSHAKES_PER_SECOND 1000
#define HANDSHAKES 1000

/* Told to OpenSSL, for which a session belongs to who has made it. */
static const unsigned char session_context[] = "vow";

/* Life */

/* The texts of the options, by place, so that they are copied in a loop. */
#define TEXTS 8

static void options_texts(vow_tls_options *options, const char **places[TEXTS])
{
    places[0] = &options->certificate_file;
    places[1] = &options->key_file;
    places[2] = &options->certificate_pem;
    places[3] = &options->key_pem;
    places[4] = &options->ca_file;
    places[5] = &options->ca_pem;
    places[6] = &options->server_name;
    places[7] = &options->ticket_secret;
}

/* Gives a context with a copy of the options, or NULL: no memory. */
static vow_tls_context *context_alloc(const vow_tls_options *given)
{
    vow_tls_options  options = { .size = sizeof options };
    const char     **places[TEXTS];
    vow_tls_context *context;
    size_t           size = sizeof *context;
    char            *text;

    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    options.size = sizeof options;
    if (options.max_handshakes_per_second == 0)
        options.max_handshakes_per_second = HANDSHAKES_PER_SECOND;
    if (options.max_handshakes == 0)
        options.max_handshakes = HANDSHAKES;
    options_texts(&options, places);
    for (size_t i = 0; i < TEXTS; i++)
        size += *places[i] ? strlen(*places[i]) + 1 : 0;
    context = vow_alloc_zeroed(size);
    if (!context)
        return NULL;
    context->options = options;
    text = (char *)(context + 1);
    options_texts(&context->options, places);
    for (size_t i = 0; i < TEXTS; i++) {
        if (!*places[i])
            continue;
        size = strlen(*places[i]) + 1;
        *places[i] = memcpy(text, *places[i], size);
        text += size;
    }
    return context;
}

void vow_tls_context_drop(vow_tls_context *context)
{
    if (!context || --context->references > 0)
        return;
    vow_tls_sessions_done(context);
    SSL_CTX_free(context->ssl);
    vow_free(context);
}

/* Certificates and keys */

/* What the program gave, for messages: "certificate_file /etc/a.pem", or "certificate_pem". */
typedef struct source {
    const char *option;
    const char *file;
    const char *pem;
} source;

static vow_code source_fail(const source *source, const char *reason, vow_error *error)
{
    if (source->file && errno == EISDIR) /* which was opened, and can't be read */
        reason = strerror(errno);
    if (source->file)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "tls.%s_file \"%.300s\": %.200s", source->option,
                             source->file, reason);
    return vow_error_set(error, VOW_INVALID_ARGUMENT, "tls.%s_pem: %.200s", source->option, reason);
}

static const char *last_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason ? reason : "OpenSSL does not say why";
}

/* NULL: it can't be opened; `error` says why. */
static BIO *source_open(const source *source, vow_error *error)
{
    BIO *bio;

    ERR_clear_error();
    errno = 0;
    bio = source->file ? BIO_new_file(source->file, "r") : BIO_new_mem_buf(source->pem, -1);
    if (!bio)
        source_fail(source, errno ? strerror(errno) : last_reason(), error);
    return bio;
}

/* OpenSSL would ask for one on the terminal. */
static int no_passphrase(char *text, int size, int is_for_writing, void *arg)
{
    (void)text;
    (void)size;
    (void)is_for_writing;
    (void)arg;
    return -1;
}

typedef bool use_certificate_fn(SSL_CTX *ssl, X509 *certificate, size_t index);

/* Servers that differ in a certificate don't resume each other's sessions. */
static bool context_trust(vow_tls_context *context, const X509 *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned      size;

    return X509_digest(certificate, EVP_sha256(), digest, &size) == 1 &&
           vow_tls_tickets_trust(context, digest, size);
}

/* Hands over each certificate of a source. */
static vow_code context_read_certificates(vow_tls_context *context, const source *source,
                                          use_certificate_fn *use, vow_error *error)
{
    BIO     *bio = source_open(source, error);
    vow_code code = VOW_OK;
    X509    *certificate;
    size_t   count = 0;

    if (!bio)
        return VOW_INVALID_ARGUMENT;
    while (code == VOW_OK && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
        if (!context_trust(context, certificate) || !use(context->ssl, certificate, count++))
            code = source_fail(source, last_reason(), error);
        X509_free(certificate);
    }
    if (code == VOW_OK && count == 0)
        code = source_fail(source, "there is no certificate in it (PEM, \"-----BEGIN CERTIFICATE-----\")",
                           error);
    else if (code == VOW_OK && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        code = source_fail(source, last_reason(), error); /* a broken one among them is not passed over */
    BIO_free(bio);
    ERR_clear_error();
    return code;
}

static bool use_as_own(SSL_CTX *ssl, X509 *certificate, size_t index)
{
    if (index == 0)
        return SSL_CTX_use_certificate(ssl, certificate) == 1;
    return SSL_CTX_add1_chain_cert(ssl, certificate) == 1;
}

static bool use_as_ca(SSL_CTX *ssl, X509 *certificate, size_t index)
{
    (void)index;
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), certificate) == 1;
}

/* A client that has several certificates chooses by the names of the CAs that are taken. */
static bool use_as_client_ca(SSL_CTX *ssl, X509 *certificate, size_t index)
{
    return use_as_ca(ssl, certificate, index) && SSL_CTX_add_client_CA(ssl, certificate) == 1;
}

static vow_code context_read_key(vow_tls_context *context, const source *source, vow_error *error)
{
    BIO      *bio = source_open(source, error);
    EVP_PKEY *key;
    vow_code  code = VOW_OK;

    if (!bio)
        return VOW_INVALID_ARGUMENT;
    key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    if (!key)
        return source_fail(
            source,
            "there is no private key in it (PEM, \"-----BEGIN PRIVATE KEY-----\"), or one with a passphrase",
            error);
    if (SSL_CTX_use_PrivateKey(context->ssl, key) != 1 || SSL_CTX_check_private_key(context->ssl) != 1)
        code = source_fail(source, "the private key is not that of the certificate", error);
    EVP_PKEY_free(key);
    return code;
}

static vow_code context_read_own(vow_tls_context *context, vow_error *error)
{
    const vow_tls_options *options = &context->options;
    source   certificate = { "certificate", options->certificate_file, options->certificate_pem };
    source   key = { "key", options->key_file, options->key_pem };
    vow_code code;

    if (!certificate.file && !certificate.pem) {
        if (!context->is_server && !key.file && !key.pem)
            return VOW_OK;
        if (!context->is_server)
            return vow_error_set(error, VOW_INVALID_ARGUMENT,
                                 "tls.%s is given, and its certificate is not: tls.certificate_file",
                                 key.file ? "key_file" : "key_pem");
        return vow_error_set(
            error, VOW_INVALID_ARGUMENT,
            "a server's TLS needs a certificate and its key: tls.certificate_file and tls.key_file");
    }
    if (!key.file && !key.pem)
        key = certificate;
    code = context_read_certificates(context, &certificate, use_as_own, error);
    return code == VOW_OK ? context_read_key(context, &key, error) : code;
}

/* Whom to trust */

/* The system's CAs take 800 KB, and a while to read: once for all channels of the process. Its locks are
 * OpenSSL's. */
static pthread_mutex_t system_lock = PTHREAD_MUTEX_INITIALIZER;
static X509_STORE     *system_store; /* NULL: not read yet */

/* NULL: it can't be read. Lives as long as the process. */
static X509_STORE *system_store_get(void)
{
    X509_STORE *store;

    pthread_mutex_lock(&system_lock);
    if (!system_store) {
        store = X509_STORE_new();
        if (store && X509_STORE_set_default_paths(store) == 1)
            system_store = store;
        else
            X509_STORE_free(store);
    }
    store = system_store;
    pthread_mutex_unlock(&system_lock);
    return store;
}

static vow_code context_read_ca(vow_tls_context *context, vow_error *error)
{
    const vow_tls_options *options = &context->options;
    source                 ca = { "ca", options->ca_file, options->ca_pem };
    X509_STORE            *store;

    if (ca.file || ca.pem) {
        /* An intermediate CA, or the very certificate of the peer, may be given as well. */
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context->ssl), X509_V_FLAG_PARTIAL_CHAIN);
        return context_read_certificates(context, &ca, context->is_server ? use_as_client_ca : use_as_ca,
                                         error);
    }
    if (context->is_server || options->trusts_anybody)
        return VOW_OK;
    store = system_store_get();
    if (!store)
        return vow_error_set(error, VOW_INVALID_ARGUMENT, "the system's store of CAs can't be read: %s",
                             last_reason());
    SSL_CTX_set1_cert_store(context->ssl, store);
    return VOW_OK;
}

static void context_set_verification(vow_tls_context *context)
{
    const vow_tls_options *options = &context->options;
    bool                   wants_clients = options->ca_file || options->ca_pem;
    int                    mode = SSL_VERIFY_PEER;

    if (context->is_server && !options->may_be_anonymous)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (context->is_server ? !wants_clients : options->trusts_anybody)
        mode = SSL_VERIFY_NONE;
    SSL_CTX_set_verify(context->ssl, mode, mode == SSL_VERIFY_NONE ? NULL : vow_tls_verified);
    context->trust[0] = (uint8_t)mode; /* before the certificates */
}

/* ALPN */

/* RFC 7301, section 3.1: each name behind its size. Gives the size of all. */
static unsigned alpn_wire(const vow_tls_context *context, unsigned char *wire)
{
    unsigned size = 0;

    for (const char *const *name = context->alpn; *name; name++) {
        size_t length = strlen(*name);

        wire[size++] = (unsigned char)length;
        memcpy(wire + size, *name, length);
        size += (unsigned)length;
    }
    return size;
}

/* Section 3.2: without a protocol in common the handshake ends with no_application_protocol. */
static int alpn_choose(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_size,
                       const unsigned char *offered, unsigned offered_size, void *arg)
{
    unsigned char  wire[256];
    unsigned       size = alpn_wire(arg, wire);
    unsigned char *found;

    (void)ssl;
    if (SSL_select_next_proto(&found, chosen_size, wire, size, offered, offered_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    /* What was found lies in `wire`: the same bytes are in the offer, which lives on. */
    for (unsigned at = 0; at < offered_size; at += 1u + offered[at]) {
        if (offered[at] == *chosen_size && memcmp(offered + at + 1, found, *chosen_size) == 0) {
            *chosen = offered + at + 1;
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Making one */

/* False: OpenSSL has no memory. */
static bool context_set_up(vow_tls_context *context)
{
    unsigned char wire[256];
    unsigned      size = alpn_wire(context, wire);

    context->ssl = SSL_CTX_new(context->is_server ? TLS_server_method() : TLS_client_method());
    if (!context->ssl)
        return false;
    SSL_CTX_set_min_proto_version(context->ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_max_early_data(context->ssl, 0);
    if (SSL_CTX_set_cipher_list(context->ssl, TLS12_CIPHERS) != 1 ||
        SSL_CTX_set_ciphersuites(context->ssl, TLS13_CIPHERS) != 1)
        return false;
    SSL_CTX_set_msg_callback(context->ssl, vow_tls_message);
    context_set_verification(context);
    vow_tls_sessions_init(context);
    if (!context->is_server)
        return SSL_CTX_set_alpn_protos(context->ssl, wire, size) == 0; /* which is how it says success */
    SSL_CTX_set_alpn_select_cb(context->ssl, alpn_choose, context);
    SSL_CTX_set_num_tickets(context->ssl, TICKETS);
    vow_tls_tickets_init(context);
    return SSL_CTX_set_session_id_context(context->ssl, session_context, sizeof session_context - 1) == 1;
}

static vow_code context_check_secret(const vow_tls_context *context, vow_error *error)
{
    const char *secret = context->options.ticket_secret;

    if (!secret || strlen(secret) >= VOW_TLS_SECRET_MIN)
        return VOW_OK;
    return vow_error_set(error, VOW_INVALID_ARGUMENT,
                         "tls.ticket_secret has %zu bytes; it takes %d or more, of chance", strlen(secret),
                         VOW_TLS_SECRET_MIN);
}

vow_code vow_tls_context_new(bool is_server, const vow_tls_options *options, const char *const *alpn,
                             vow_tls_context **made, vow_error *error)
{
    vow_tls_context *context = context_alloc(options);
    vow_code         code;

    if (!context)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no memory for TLS");
    context->references = 1;
    context->is_server = is_server;
    vow_tls_turns_init(context);
    for (size_t i = 0; alpn[i]; i++) {
        assert(i < VOW_TLS_ALPN_MAX);
        context->alpn[i] = alpn[i];
    }
    if (!context_set_up(context))
        code = vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "no memory for TLS");
    else
        code = context_check_secret(context, error);
    if (code == VOW_OK)
        code = context_read_own(context, error);
    if (code == VOW_OK)
        code = context_read_ca(context, error);
    ERR_clear_error();
    if (code == VOW_OK)
        *made = context;
    else
        vow_tls_context_drop(context);
    return code;
}

vow_code vow_tls_context_again(const vow_tls_context *context, vow_tls_context **made, vow_error *error)
{
    return vow_tls_context_new(context->is_server, &context->options, context->alpn, made, error);
}

const char *vow_tls_context_server_name(const vow_tls_context *context)
{
    return context->options.server_name;
}

bool vow_tls_context_is_required(const vow_tls_context *context)
{
    return context->options.is_required;
}
