#include "runtime/base/memory.h"
#include "runtime/transport/tls/tls.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <string.h>

bool vow_tls_name_print(const X509_NAME *name, char *text, size_t size)
{
    BIO   *bio = BIO_new(BIO_s_mem());
    char  *printed = NULL;
    size_t printed_size = 0;
    bool   fits = false;

    text[0] = '\0';
    /* RFC 2253 escapes what could be taken for the end of a value. */
    if (bio &&
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0) {
        printed_size = (size_t)BIO_get_mem_data(bio, &printed);
        fits = printed_size < size;
        if (!fits)
            printed_size = size - 1;
        if (printed_size > 0)
            memcpy(text, printed, printed_size);
        text[printed_size] = '\0';
    }
    BIO_free(bio);
    return fits;
}

/* Names of the peer */

/* What goes into a name: a byte that ends or splits it elsewhere would make it somebody else's. */
static bool text_is_plain(const uint8_t *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return size > 0;
}

/* "dns:a.example" into `text`. False: it is of a kind that is not told, or not plain, or does not fit. */
static bool name_print(const GENERAL_NAME *name, char *text, size_t size)
{
    static const char *const kinds[] = { [GEN_EMAIL] = "email:", [GEN_DNS] = "dns:", [GEN_URI] = "uri:" };
    int                      type;
    const ASN1_STRING       *value = GENERAL_NAME_get0_value(name, &type);
    const uint8_t           *data;
    size_t                   length;
    char                     address[INET6_ADDRSTRLEN];

    if (type != GEN_EMAIL && type != GEN_DNS && type != GEN_URI && type != GEN_IPADD)
        return false;
    data = ASN1_STRING_get0_data(value);
    length = (size_t)ASN1_STRING_length(value);
    if (type == GEN_IPADD && (length == 4 || length == 16))
        return inet_ntop(length == 4 ? AF_INET : AF_INET6, data, address, sizeof address) &&
               (size_t)snprintf(text, size, "ip:%s", address) < size;
    if (type == GEN_IPADD || !text_is_plain(data, length))
        return false;
    return (size_t)snprintf(text, size, "%s%.*s", kinds[type], (int)length, (const char *)data) < size;
}

/* Calls `tell` with each name, up to VOW_TLS_NAMES_MAX. */
static void names_each(const X509 *certificate, void (*tell)(const char *name, void *arg), void *arg)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char           text[VOW_TLS_TEXT_MAX];
    size_t         told = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && told < VOW_TLS_NAMES_MAX; i++) {
        if (!name_print(sk_GENERAL_NAME_value(names, i), text, sizeof text))
            continue;
        tell(text, arg);
        told++;
    }
    GENERAL_NAMES_free(names);
}

typedef struct printing {
    char  *text;
    size_t size;
} printing;

static void print_one(const char *name, void *arg)
{
    printing *printing = arg;
    size_t    used = strlen(printing->text);

    snprintf(printing->text + used, printing->size - used, "%s%s", used ? ", " : "", name);
}

void vow_tls_names_print(const X509 *certificate, char *text, size_t size)
{
    printing printing = { text, size };

    text[0] = '\0';
    names_each(certificate, print_one, &printing);
}

/* One block with all of it: the struct, the array of names, the texts */

typedef struct block {
    vow_tls_facts facts;
    const char   *names[VOW_TLS_NAMES_MAX + 1];
} block;

typedef struct counting {
    size_t count;
    size_t size;
} counting;

static void count_one(const char *name, void *arg)
{
    counting *counting = arg;

    counting->count++;
    counting->size += strlen(name) + 1;
}

typedef struct filling {
    const char **next;
    char        *at;
} filling;

static const char *filling_add(filling *filling, const char *text)
{
    size_t      size = strlen(text) + 1;
    const char *added = memcpy(filling->at, text, size);

    filling->at += size;
    return added;
}

static void fill_one(const char *name, void *arg)
{
    filling *filling = arg;

    *filling->next++ = filling_add(filling, name);
}

vow_code vow_tls_facts_make(vow_tls_stream *tls, vow_error *error)
{
    X509    *certificate = tls->context->options.trusts_anybody ? NULL : SSL_get0_peer_certificate(tls->ssl);
    char     subject[VOW_TLS_TEXT_MAX] = "";
    char     issuer[VOW_TLS_TEXT_MAX] = "";
    counting counting = { 0, 0 };
    filling  filling;
    block   *block;

    if (certificate) {
        if (!vow_tls_name_print(X509_get_subject_name(certificate), subject, sizeof subject) ||
            !vow_tls_name_print(X509_get_issuer_name(certificate), issuer, sizeof issuer))
            return vow_error_set(error, VOW_UNAVAILABLE,
                                 "%.100s: the peer's certificate has a subject or an issuer of over %d bytes",
                                 tls->target, VOW_TLS_TEXT_MAX);
        names_each(certificate, count_one, &counting);
    }
    block = vow_alloc_zeroed(sizeof *block + strlen(subject) + 1 + strlen(issuer) + 1 + counting.size);
    if (!block)
        return vow_error_set(error, VOW_RESOURCE_EXHAUSTED, "%.100s: no memory for the peer's certificate",
                             tls->target);
    filling.next = block->names;
    filling.at = (char *)(block + 1);
    block->facts.version = SSL_get_version(tls->ssl);
    block->facts.was_resumed = SSL_session_reused(tls->ssl) == 1;
    block->facts.names = block->names;
    if (certificate) {
        block->facts.subject = filling_add(&filling, subject);
        block->facts.issuer = filling_add(&filling, issuer);
        names_each(certificate, fill_one, &filling);
    }
    tls->facts = &block->facts;
    return VOW_OK;
}

/* What the layers above ask of a stream */

bool vow_stream_is_tls(const vow_stream *stream)
{
    return stream->transport == &vow_transport_tls;
}

size_t vow_stream_hidden_memory(const vow_stream *stream)
{
    return vow_stream_is_tls(stream) ? VOW_TLS_HIDDEN : 0;
}

bool vow_stream_is_shaking_hands(const vow_stream *stream)
{
    return vow_stream_is_tls(stream) && vow_tls_of(stream)->state == VOW_TLS_SHAKING;
}

const char *vow_stream_alpn(const vow_stream *stream)
{
    return vow_stream_is_tls(stream) ? vow_tls_of(stream)->alpn : NULL;
}

vow_tls_facts *vow_stream_take_tls_facts(vow_stream *stream)
{
    vow_tls_stream *tls = vow_tls_of(stream);
    vow_tls_facts  *facts;

    if (!vow_stream_is_tls(stream))
        return NULL;
    facts = tls->facts;
    tls->facts = NULL;
    return facts;
}
