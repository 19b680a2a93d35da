/*
 * A listening socket, for servers on libraries that take one, and do not tell the port that they got; and a
 * port for programs that take only a number.
 */
#ifndef BENCH_MEASURE_LISTEN_H
#define BENCH_MEASURE_LISTEN_H

#ifdef __cplusplus
extern "C" {
#endif

/* Listens at `url`, tcp://127.0.0.1:0 or unix:///PATH, whose file is replaced. Fails as in fail.h. */
int bench_listen(const char *url);

/* Gives a port of 127.0.0.1 that nobody else gets while this process lives, also once it has become another
 * program, which can listen on it if it sets SO_REUSEADDR. */
int bench_port_keep(void);

/* Prints the address of a listening socket as a URL, as a server's first line. */
void bench_listen_print(int listener);

#ifdef __cplusplus
}
#endif

#endif
