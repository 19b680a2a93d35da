/*
 * Walking a directory: every regular file below it, one at a time.
 *
 * The idea: a stack of open directories, so that a tree of any width takes the memory of its depth.
 * Symbolic links are not followed; what is no regular file is named and skipped. It blocks: it runs
 * in the thread pool, one call at a time.
 */
#ifndef DIGEST_WALK_H
#define DIGEST_WALK_H

#include <stdbool.h>
#include <stdint.h>

struct walk;

/* Tells what was skipped or could not be read. `is_fault`: the sums will be incomplete. */
typedef void walk_note_fn(const char *path, const char *what, bool is_fault, void *arg);

/* Gives a walk (walk_close), or NULL and errno. */
struct walk *walk_open(const char *path, walk_note_fn *note, void *arg);
void         walk_close(struct walk *walk);

/* Opens the next file and gives its descriptor, path (free it) and size; -1: there are no more. */
int walk_next(struct walk *walk, char **path, uint64_t *size);

#endif
