/*
 * The benchmark's ports: who is told one gets it, and nobody else.
 */
#include "bench/measure/listen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool port_can_be_bound(int port, int *listener, bool reuses)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };

    *listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(*listener >= 0);
    assert_int_equal(setsockopt(*listener, SOL_SOCKET, SO_REUSEADDR, &(int){ reuses }, sizeof(int)), 0);
    return bind(*listener, (struct sockaddr *)&address, sizeof address) == 0;
}

static void a_port_that_is_kept_can_be_listened_on(void **state)
{
    int listener, port = bench_port_keep();

    (void)state;
    assert_true(port_can_be_bound(port, &listener, true));
    assert_int_equal(listen(listener, 10), 0);
    close(listener);
}

static void nobody_gets_it_by_chance(void **state)
{
    int other, port = bench_port_keep();

    (void)state;
    assert_false(port_can_be_bound(port, &other, false));
    close(other);
    for (int i = 0; i < 100; i++)
        assert_int_not_equal(bench_port_keep(), port);
}

static void it_stays_open_in_what_the_process_becomes(void **state)
{
    int port = bench_port_keep(), found = 0;

    (void)state;
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_in address = { 0 };
        socklen_t          size = sizeof address;

        if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 && ntohs(address.sin_port) == port)
            found += (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
    }
    assert_int_equal(found, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_that_is_kept_can_be_listened_on),
        cmocka_unit_test(nobody_gets_it_by_chance),
        cmocka_unit_test(it_stays_open_in_what_the_process_becomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
