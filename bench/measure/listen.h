/*
 * A listening socket, for servers on libraries that take one, and do not tell the port that they got.
 */
#ifndef BENCH_MEASURE_LISTEN_H
#define BENCH_MEASURE_LISTEN_H

#ifdef __cplusplus
extern "C" {
#endif

/* Listens at `url`, tcp://127.0.0.1:0 or unix:///PATH, whose file is replaced. Fails as in fail.h. */
int bench_listen(const char *url);

/* Prints the address of a listening socket as a URL, as a server's first line. */
void bench_listen_print(int listener);

#ifdef __cplusplus
}
#endif

#endif
