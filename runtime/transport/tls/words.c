#include "runtime/base/memory.h"
#include "runtime/transport/tls/tls.h"

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <string.h>

/* Alerts of the peer have reasons of OpenSSL's from here on: RFC 8446, section 6. */
#define ALERT_REASONS SSL_AD_REASON_OFFSET
#define ALERTS_MAX 255

/* What verification said */

static void moment_print(const ASN1_TIME *moment, char *text, size_t size)
{
    struct tm calendar;

    if (!ASN1_TIME_to_tm(moment, &calendar) || strftime(text, size, "%Y-%m-%d %H:%M:%S UTC", &calendar) == 0)
        snprintf(text, size, "a moment that is malformed");
}

/* Without memory for it the words are fewer. */
int vow_tls_verified(int is_fine, X509_STORE_CTX *store)
{
    SSL            *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    vow_tls_stream *tls = SSL_get_app_data(ssl);
    X509           *certificate = X509_STORE_CTX_get_current_cert(store);

    if (is_fine || tls->fault || !certificate)
        return is_fine;
    tls->fault = vow_alloc_zeroed(sizeof *tls->fault);
    if (!tls->fault)
        return is_fine;
    tls->fault->code = X509_STORE_CTX_get_error(store);
    tls->fault->depth = X509_STORE_CTX_get_error_depth(store);
    vow_tls_name_print(X509_get_subject_name(certificate), tls->fault->subject, sizeof tls->fault->subject);
    vow_tls_name_print(X509_get_issuer_name(certificate), tls->fault->issuer, sizeof tls->fault->issuer);
    vow_tls_names_print(certificate, tls->fault->names, sizeof tls->fault->names);
    moment_print(tls->fault->code == X509_V_ERR_CERT_NOT_YET_VALID ? X509_get0_notBefore(certificate)
                                                                   : X509_get0_notAfter(certificate),
                 tls->fault->moment, sizeof tls->fault->moment);
    return is_fine;
}

/* "the server's certificate (CN=a.example)", or one above it */
static void whose_print(const vow_tls_stream *tls, char *text, size_t size)
{
    const char *side = tls->context->is_server ? "client" : "server";

    if (tls->fault->depth == 0)
        snprintf(text, size, "the %s's certificate (%.200s)", side, tls->fault->subject);
    else
        snprintf(text, size, "the certificate (%.200s) above the %s's", tls->fault->subject, side);
}

static vow_status why_unverified(const vow_tls_stream *tls)
{
    char whose[300];

    whose_print(tls, whose, sizeof whose);
    switch (tls->fault->code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return vow_status_make(VOW_UNAVAILABLE, "%s: %s expired on %s", tls->target, whose,
                               tls->fault->moment);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return vow_status_make(VOW_UNAVAILABLE, "%s: %s is valid from %s on only; is the clock right?",
                               tls->target, whose, tls->fault->moment);
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return vow_status_make(
            VOW_UNAVAILABLE,
            "%s: %s is self-signed, and not one that is trusted; give it as tls.ca_file to trust it",
            tls->target, whose);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return vow_status_make(VOW_UNAVAILABLE,
                               "%s: %s is of a CA that is not trusted; give it as tls.ca_file to trust it",
                               tls->target, whose);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return vow_status_make(
            VOW_UNAVAILABLE,
            "%s: %s was issued by %.200s, which is not trusted and was not sent along; give that CA as "
            "tls.ca_file to trust it",
            tls->target, whose, tls->fault->issuer);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return vow_status_make(
            VOW_UNAVAILABLE,
            "%s: %s is for %.300s, and not for %s; tls.server_name says whom to expect instead", tls->target,
            whose, tls->fault->names[0] ? tls->fault->names : "no host at all", tls->host);
    case X509_V_ERR_INVALID_PURPOSE:
        return vow_status_make(VOW_UNAVAILABLE, "%s: %s is not meant for %ss (its extended key usage)",
                               tls->target, whose, tls->context->is_server ? "client" : "server");
    case X509_V_ERR_INVALID_CA:
        return vow_status_make(VOW_UNAVAILABLE,
                               "%s: %s is no CA's, and may issue no certificates (its basic constraints)",
                               tls->target, whose);
    default:
        return vow_status_make(VOW_UNAVAILABLE, "%s: %s was not accepted: %s", tls->target, whose,
                               X509_verify_cert_error_string(tls->fault->code));
    }
}

/* What the peer said */

/* OpenSSL has no names for the newer ones. */
static const struct {
    int         alert;
    const char *name;
    const char *advice;
} advices[] = {
    { SSL_AD_UNKNOWN_CA, "unknown CA",
      "; it does not trust the CA of our certificate (tls.certificate_file)" },
    { SSL_AD_BAD_CERTIFICATE, "bad certificate",
      "; it does not take our certificate (tls.certificate_file)" },
    { SSL_AD_UNSUPPORTED_CERTIFICATE, "unsupported certificate",
      "; our certificate is not meant for that (tls.certificate_file, its extended key usage)" },
    { SSL_AD_CERTIFICATE_REVOKED, "certificate revoked",
      "; our certificate is valid no longer (tls.certificate_file)" },
    { SSL_AD_UNRECOGNIZED_NAME, "unrecognized name",
      "; it has nothing of the name that it was asked for (tls.server_name)" },
    { SSL_AD_CERTIFICATE_EXPIRED, "certificate expired",
      "; our certificate is out of date (tls.certificate_file)" },
    { SSL_AD_CERTIFICATE_REQUIRED, "certificate required",
      "; it wants to see a certificate of ours (tls.certificate_file, tls.key_file)" },
    { SSL_AD_HANDSHAKE_FAILURE, "handshake failure",
      "; with TLS 1.2 it may want to see a certificate of ours (tls.certificate_file, tls.key_file)" },
    { SSL_AD_NO_APPLICATION_PROTOCOL, "no application protocol", "; it does not speak this protocol (ALPN)" },
    { SSL_AD_INTERNAL_ERROR, "internal error",
      "; a vow server says so when it has too many connections, or handshakes to do" },
    { SSL_AD_PROTOCOL_VERSION, "protocol version",
      "; it speaks neither TLS 1.2 nor 1.3, or has no TLS at all" },
};

static vow_status why_alert(const vow_tls_stream *tls, int alert)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        if (advices[i].alert == alert)
            return vow_status_make(VOW_UNAVAILABLE, "%s: the peer refused with the TLS alert \"%s\"%s",
                                   tls->target, advices[i].name, advices[i].advice);
    }
    return vow_status_make(VOW_UNAVAILABLE, "%s: the peer refused with the TLS alert \"%s\" (%d)",
                           tls->target, SSL_alert_desc_string_long(alert), alert);
}

/* RFC 8446, section 5.1: a record begins with its type, 20 to 24, and 3. */
static bool began_with_tls(const vow_tls_stream *tls)
{
    return tls->first_size == 0 ||
           (tls->first[0] >= 20 && tls->first[0] <= 24 && (tls->first_size < 2 || tls->first[1] == 3));
}

static vow_status why_no_tls(const vow_tls_stream *tls)
{
    static const uint8_t vow_preface[] = { 0x8d, 'v', 'o', 'w' };
    const char          *what = "what came is something else";

    if (tls->first_size >= sizeof vow_preface && memcmp(tls->first, vow_preface, sizeof vow_preface) == 0)
        what = "it speaks vow without TLS (tcp://)";
    else if (tls->first_size >= 4 && tls->first[0] == 0 && tls->first[3] == 4)
        what = "it speaks HTTP/2 without TLS (grpc://)";
    else if (tls->first_size >= 4 && memcmp(tls->first, "HTTP", 4) == 0)
        what = "it speaks HTTP/1 without TLS";
    return vow_status_make(VOW_UNAVAILABLE, "%s: the peer does not speak TLS: %s", tls->target, what);
}

vow_status vow_tls_why(const vow_tls_stream *tls, int result)
{
    unsigned long error = ERR_peek_error();
    int           reason = ERR_GET_REASON(error);

    (void)result;
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED && tls->fault)
        return why_unverified(tls);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return vow_status_make(
            VOW_UNAVAILABLE, "%s: the client has no certificate, and tls.ca_file asks for one", tls->target);
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > ALERT_REASONS && reason <= ALERT_REASONS + ALERTS_MAX)
        return why_alert(tls, reason - ALERT_REASONS);
    if (tls->state == VOW_TLS_SHAKING && !began_with_tls(tls))
        return why_no_tls(tls);
    return vow_status_make(ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE ? VOW_RESOURCE_EXHAUSTED
                                                                         : VOW_UNAVAILABLE,
                           "%s: TLS failed: %s", tls->target,
                           error ? ERR_reason_error_string(error) : "the peer broke its rules");
}
