#include "tests/support/tls_bridge.h"

#include "tests/support/certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tls_bridge {
    pthread_t thread;
    SSL_CTX  *context;
    SSL      *ssl;
    int       secure; /* descriptors */
    int       plain;
};

static int choose_first(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                        const unsigned char *offered, unsigned offered_size, void *arg)
{
    (void)ssl;
    (void)offered_size;
    (void)arg;
    *chosen = offered + 1;
    *size = offered[0];
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_new(void)
{
    SSL_CTX  *context = SSL_CTX_new(TLS_server_method());
    BIO      *text = BIO_new_mem_buf(certificate_text(certificate_of_server()), -1);
    BIO      *key_text = BIO_new_mem_buf(certificate_key(certificate_of_server()), -1);
    X509     *certificate = PEM_read_bio_X509(text, NULL, NULL, NULL);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(key_text, NULL, NULL, NULL);

    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    SSL_CTX_set_alpn_select_cb(context, choose_first, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(text);
    BIO_free(key_text);
    return context;
}

/* False: one side has ended. */
static bool carry(tls_bridge *bridge, bool is_inward)
{
    char   bytes[4096];
    size_t got = 0;

    if (is_inward)
        return SSL_read_ex(bridge->ssl, bytes, sizeof bytes, &got) == 1 &&
               send(bridge->plain, bytes, got, MSG_NOSIGNAL) == (ssize_t)got;
    got = (size_t)read(bridge->plain, bytes, sizeof bytes);
    return got > 0 && got <= sizeof bytes && SSL_write_ex(bridge->ssl, bytes, got, &got) == 1;
}

static void *bridge_run(void *arg)
{
    tls_bridge   *bridge = arg;
    struct pollfd sides[] = { { .fd = bridge->secure, .events = POLLIN },
                              { .fd = bridge->plain, .events = POLLIN } };
    bool          goes_on = SSL_accept(bridge->ssl) == 1;

    while (goes_on && poll(sides, 2, -1) > 0) {
        if (sides[0].revents || SSL_pending(bridge->ssl))
            goes_on = carry(bridge, true);
        if (goes_on && sides[1].revents)
            goes_on = carry(bridge, false);
    }
    shutdown(bridge->plain, SHUT_RDWR);
    shutdown(bridge->secure, SHUT_RDWR);
    return NULL;
}

tls_bridge *tls_bridge_start(int *fd)
{
    tls_bridge *bridge = calloc(1, sizeof *bridge);
    int         ends[2];

    assert_non_null(bridge);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    bridge->context = context_new();
    bridge->ssl = SSL_new(bridge->context);
    bridge->secure = *fd;
    bridge->plain = ends[0];
    fcntl(bridge->secure, F_SETFL, 0); /* blocks */
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    SSL_set_fd(bridge->ssl, bridge->secure);
    assert_int_equal(pthread_create(&bridge->thread, NULL, bridge_run, bridge), 0);
    *fd = ends[1];
    return bridge;
}

char *tls_bridge_end(tls_bridge *bridge)
{
    const char *name;
    char       *copy;

    pthread_join(bridge->thread, NULL);
    name = SSL_get_servername(bridge->ssl, TLSEXT_NAMETYPE_host_name);
    copy = strdup(name ? name : "");
    SSL_free(bridge->ssl);
    SSL_CTX_free(bridge->context);
    close(bridge->secure);
    close(bridge->plain);
    free(bridge);
    return copy;
}
