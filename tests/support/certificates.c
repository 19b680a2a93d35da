#include "tests/support/certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define HOUR 3600L
#define DAY (24 * HOUR)

struct certificate {
    X509     *x509;
    EVP_PKEY *key;
    char     *text;
    char     *key_text;
};

static void add_extension(X509 *x509, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX      context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    assert_non_null(extension);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

static char *text_of(BIO *bio)
{
    char  *data = NULL;
    size_t size = (size_t)BIO_get_mem_data(bio, &data);
    char  *text = calloc(1, size + 1);

    assert_non_null(text);
    memcpy(text, data, size);
    BIO_free(bio);
    return text;
}

static void certificate_print(certificate *made)
{
    BIO *text = BIO_new(BIO_s_mem());
    BIO *key = BIO_new(BIO_s_mem());

    PEM_write_bio_X509(text, made->x509);
    PEM_write_bio_PrivateKey(key, made->key, NULL, NULL, 0, NULL, NULL);
    made->text = text_of(text);
    made->key_text = text_of(key);
}

certificate *certificate_new(const char *name, const certificate_options *options)
{
    static long  serial = 1;
    certificate *made = calloc(1, sizeof *made);
    X509        *issuer;
    X509_NAME   *subject;

    assert_non_null(made);
    made->x509 = X509_new();
    made->key = EVP_EC_gen("P-256");
    assert_true(made->x509 && made->key);
    issuer = options->issuer ? options->issuer->x509 : made->x509;
    X509_set_version(made->x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made->x509), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made->x509),
                    options->from_day || options->to_day ? options->from_day * DAY : -HOUR);
    X509_gmtime_adj(X509_getm_notAfter(made->x509),
                    options->from_day || options->to_day ? options->to_day * DAY : DAY);
    subject = X509_get_subject_name(made->x509);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made->x509, X509_get_subject_name(issuer));
    X509_set_pubkey(made->x509, made->key);
    add_extension(made->x509, issuer, NID_basic_constraints,
                  options->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (options->usage)
        add_extension(made->x509, issuer, NID_ext_key_usage, options->usage);
    if (options->names)
        add_extension(made->x509, issuer, NID_subject_alt_name, options->names);
    assert_true(X509_sign(made->x509, options->issuer ? options->issuer->key : made->key, EVP_sha256()) > 0);
    certificate_print(made);
    return made;
}

void certificate_free(certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
    free(certificate->text);
    free(certificate->key_text);
    free(certificate);
}

const char *certificate_text(const certificate *certificate)
{
    return certificate->text;
}

const char *certificate_key(const certificate *certificate)
{
    return certificate->key_text;
}

const certificate *certificate_of_ca(void)
{
    static const certificate *ca;

    if (!ca)
        ca = certificate_new("vow test CA", CERTIFICATE(.is_ca = true));
    return ca;
}

const certificate *certificate_of_server(void)
{
    static const certificate *server;

    if (!server)
        server = certificate_new(
            "server.test", CERTIFICATE(.names = "DNS:localhost,IP:127.0.0.1", .issuer = certificate_of_ca()));
    return server;
}
