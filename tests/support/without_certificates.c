/* Stands in for certificates in a build without OpenSSL, in which no world has TLS. */
#include "tests/support/certificates.h"

const char *certificate_text(const certificate *certificate)
{
    (void)certificate;
    return "";
}

const char *certificate_key(const certificate *certificate)
{
    (void)certificate;
    return "";
}

const certificate *certificate_of_ca(void)
{
    return NULL;
}

const certificate *certificate_of_server(void)
{
    return NULL;
}
