/*
 * Certificates for tests, made as they are needed; no key is ever kept in a file of the repository.
 */
#ifndef VOW_TESTS_CERTIFICATES_H
#define VOW_TESTS_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct certificate certificate;

typedef struct certificate_options {
    const char        *names;  /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
    const certificate *issuer; /* NULL: signs itself */
    bool               is_ca;
    int                from_day; /* from today; 0 and 0: from an hour ago, for a day */
    int                to_day;
    const char        *usage; /* extended, "clientAuth"; NULL: for anything */
} certificate_options;

/* With the subject CN=`name`. Gives it (certificate_free). */
certificate *certificate_new(const char *name, const certificate_options *options);
#define CERTIFICATE(...) (&(const certificate_options){ __VA_ARGS__ })

void certificate_free(certificate *certificate);

/* PEM; they live as long as the certificate. */
const char *certificate_text(const certificate *certificate);
const char *certificate_key(const certificate *certificate);

/* One CA of all tests, and a server's certificate of it, for localhost and 127.0.0.1. */
const certificate *certificate_of_ca(void);
const certificate *certificate_of_server(void);

#endif
