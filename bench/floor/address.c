#include "address.h"

#include "measure/fail.h"

#include <stdio.h>
#include <uv.h>

struct sockaddr_in bench_address_read(const char *url)
{
    struct sockaddr_in address;
    char               host[INET_ADDRSTRLEN];
    int                port;
    char               rest;

    if (sscanf(url, "tcp://%15[0-9.]:%5d%c", host, &port, &rest) != 2 || port < 0 || port > 65535 ||
        uv_ip4_addr(host, port, &address) < 0)
        bench_fail_usage("\"%s\" is not of the form tcp://127.0.0.1:7000", url);
    return address;
}
