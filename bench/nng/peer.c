#include "peer.h"

#include "measure/fail.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define UNIX_SCHEME "unix://"

void bench_nng_must(int status, const char *what)
{
    if (status != 0)
        bench_fail("cannot %s: %s", what, nng_strerror(status));
}

static const char *address_of(const char *url, char own[BENCH_NNG_URL_SIZE])
{
    if (strncmp(url, UNIX_SCHEME, strlen(UNIX_SCHEME)) != 0)
        return url;
    snprintf(own, BENCH_NNG_URL_SIZE, "ipc://%s", url + strlen(UNIX_SCHEME));
    return own;
}

void bench_nng_socket_init(nng_socket socket)
{
    bench_nng_must(nng_socket_set_size(socket, NNG_OPT_RECVMAXSZ, BENCH_NNG_MESSAGE_MOST), "raise a limit");
}

void bench_nng_dial(nng_socket socket, const char *url)
{
    char own[BENCH_NNG_URL_SIZE];

    bench_nng_must(nng_dial(socket, address_of(url, own), NULL, 0), "connect");
}

void bench_nng_listen(nng_socket socket, const char *url)
{
    char           own[BENCH_NNG_URL_SIZE];
    nng_listener   listener;
    nng_sockaddr   address;
    struct in_addr host;

    bench_nng_must(nng_listen(socket, address_of(url, own), &listener, 0), "listen");
    bench_nng_must(nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &address), "read the address");
    if (address.s_family == NNG_AF_INET) {
        host.s_addr = address.s_in.sa_addr;
        printf("tcp://%s:%d", inet_ntoa(host), ntohs(address.s_in.sa_port));
    } else {
        fputs(url, stdout);
    }
    printf(" recv-size-max=%zu\n", BENCH_NNG_MESSAGE_MOST);
    if (fflush(stdout) != 0)
        bench_fail("cannot tell the address: %m");
}
