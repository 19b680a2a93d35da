/*
 * What a server seals its tickets with, so that another of its kind resumes them: on another thread of the
 * process, or, with tls.ticket_secret, in another process.
 *
 * The idea: keys are not kept but derived, from a secret, from what the server is and trusts, and from the
 * hour. So servers agree without speaking to each other; one with other certificates or CAs has other keys,
 * and nobody gets in where he was not verified; and a key is of no use an hour after it was last used to
 * seal. Of TLS 1.2 nothing is resumed: there a ticket's key opens all that was recorded.
 *
 * Source: RFC 8446, section 4.6.1 and appendix C.4; RFC 5077, section 4.
 */
#include "runtime/transport/tls/tls.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define PERIOD_S 3600

typedef struct ticket_keys {
    uint8_t name[VOW_TLS_TICKET_NAME];
    uint8_t cipher[32];
    uint8_t mac[32];
} ticket_keys;

_Static_assert(sizeof(ticket_keys) <= 128, "two blocks of SHA-512 make one");

/* The secret of servers that were given none */

static pthread_once_t own_secret_once = PTHREAD_ONCE_INIT;
static uint8_t        own_secret[32];
static bool           has_own_secret;

static void own_secret_make(void)
{
    has_own_secret = RAND_bytes(own_secret, sizeof own_secret) == 1;
}

/* Deriving */

/* What the keys of an hour depend on, besides the secret. */
typedef struct ticket_label {
    char    what[8];
    uint8_t trust[VOW_TLS_TRUST];
    uint8_t period[8];
    uint8_t block;
} ticket_label;

_Static_assert(sizeof(ticket_label) == 8 + VOW_TLS_TRUST + 8 + 1, "there are no gaps in it");

/* False: OpenSSL fails, for want of memory. */
static bool keys_derive(const vow_tls_context *context, uint64_t period, ticket_keys *keys)
{
    const char   *given = context->options.ticket_secret;
    const void   *secret = given ? (const void *)given : own_secret;
    size_t        size = given ? strlen(given) : sizeof own_secret;
    ticket_label  label = { .what = "ticket" };
    unsigned char blocks[128];

    pthread_once(&own_secret_once, own_secret_make);
    if (!given && !has_own_secret)
        return false;
    memcpy(label.trust, context->trust, sizeof label.trust);
    for (size_t i = 0; i < 8; i++)
        label.period[i] = (uint8_t)(period >> (56 - 8 * i));
    for (; label.block < 2; label.block++) {
        if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA512", NULL, secret, size, (const unsigned char *)&label,
                       sizeof label, blocks + 64 * label.block, 64, NULL))
            return false;
    }
    memcpy(keys, blocks, sizeof *keys);
    OPENSSL_cleanse(blocks, sizeof blocks);
    return true;
}

bool vow_tls_ticket_name(const vow_tls_context *context, uint64_t period, uint8_t name[VOW_TLS_TICKET_NAME])
{
    ticket_keys keys;
    bool        is_derived = keys_derive(context, period, &keys);

    memcpy(name, keys.name, is_derived ? sizeof keys.name : 0);
    OPENSSL_cleanse(&keys, sizeof keys);
    return is_derived;
}

bool vow_tls_ticket_is_of(const vow_tls_context *context, uint64_t period,
                          const uint8_t name[VOW_TLS_TICKET_NAME])
{
    uint8_t expected[VOW_TLS_TICKET_NAME];

    return vow_tls_ticket_name(context, period, expected) && memcmp(expected, name, sizeof expected) == 0;
}

uint64_t vow_tls_ticket_period_of(const vow_tls_context *context, uint64_t now,
                                  const uint8_t name[VOW_TLS_TICKET_NAME])
{
    if (vow_tls_ticket_is_of(context, now, name))
        return now;
    return now > 0 && vow_tls_ticket_is_of(context, now - 1, name) ? now - 1 : 0;
}

/* What OpenSSL asks for */

static uint64_t period_now(void)
{
    return (uint64_t)time(NULL) / PERIOD_S;
}

static bool mac_set(EVP_MAC_CTX *mac, ticket_keys *keys)
{
    char       digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, keys->mac, sizeof keys->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* 1: sealed; 0: there is to be no ticket; -1: fails. */
static int ticket_seal(const vow_tls_context *context, SSL *ssl, uint8_t *name, uint8_t *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    ticket_keys keys;
    bool        is_set;

    if (SSL_version(ssl) < TLS1_3_VERSION)
        return 0;
    if (!keys_derive(context, period_now(), &keys))
        return -1;
    memcpy(name, keys.name, sizeof keys.name);
    is_set = RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 &&
             EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(), keys.cipher, iv, NULL) == 1 &&
             mac_set(mac, &keys);
    OPENSSL_cleanse(&keys, sizeof keys);
    return is_set ? 1 : -1;
}

/* 2: it is opened, and the client gets another, as it uses each once; 0: it is none of ours, or too old: the
 * handshake is a whole one; -1: fails. */
static int ticket_open(const vow_tls_context *context, const uint8_t *name, const uint8_t *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    uint64_t    period = vow_tls_ticket_period_of(context, period_now(), name);
    ticket_keys keys;
    bool        is_set;

    if (!period)
        return 0;
    if (!keys_derive(context, period, &keys))
        return -1;
    is_set =
        EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), keys.cipher, iv, NULL) == 1 && mac_set(mac, &keys);
    OPENSSL_cleanse(&keys, sizeof keys);
    return is_set ? 2 : -1;
}

static int ticket_asked(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                        EVP_MAC_CTX *mac, int is_sealing)
{
    const vow_tls_stream *tls = SSL_get_app_data(ssl);

    return is_sealing ? ticket_seal(tls->context, ssl, name, iv, cipher, mac)
                      : ticket_open(tls->context, name, iv, cipher, mac);
}

void vow_tls_tickets_init(vow_tls_context *context)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context->ssl, ticket_asked);
    SSL_CTX_set_timeout(context->ssl, PERIOD_S);
}

bool vow_tls_tickets_trust(vow_tls_context *context, const void *data, size_t size)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool        is_done = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestUpdate(digest, context->trust, sizeof context->trust) == 1 &&
                   EVP_DigestUpdate(digest, data, size) == 1 &&
                   EVP_DigestFinal_ex(digest, context->trust, NULL) == 1;

    EVP_MD_CTX_free(digest);
    return is_done;
}
