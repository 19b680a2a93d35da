#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 256

struct walk {
    walk_note_fn *note;
    void         *arg;
    char         *paths[DEPTH_MAX];
    DIR          *directories[DEPTH_MAX];
    size_t        depth;
    char         *single; /* the walk is one file */
};

static const char *kind_name(mode_t mode)
{
    return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static char *path_join(const char *directory, const char *name)
{
    size_t size = strlen(directory) + strlen(name) + 2;
    char  *path = malloc(size);
    bool   has_slash = directory[strlen(directory) - 1] == '/';

    if (path)
        snprintf(path, size, "%s%s%s", directory, has_slash ? "" : "/", name);
    return path;
}

/* Takes `path`. */
static void walk_enter(struct walk *walk, char *path)
{
    DIR *directory = walk->depth < DEPTH_MAX ? opendir(path) : NULL;

    if (!directory) {
        walk->note(path,
                   walk->depth < DEPTH_MAX ? strerror(errno) : "too many directories inside one another",
                   true, walk->arg);
        free(path);
        return;
    }
    walk->paths[walk->depth] = path;
    walk->directories[walk->depth] = directory;
    walk->depth++;
}

static void walk_leave(struct walk *walk)
{
    walk->depth--;
    closedir(walk->directories[walk->depth]);
    free(walk->paths[walk->depth]);
}

struct walk *walk_open(const char *path, walk_note_fn *note, void *arg)
{
    struct walk *walk = calloc(1, sizeof *walk);
    char        *copy = strdup(path);
    struct stat  facts;

    if (walk && copy && stat(path, &facts) == 0) {
        walk->note = note;
        walk->arg = arg;
        if (S_ISDIR(facts.st_mode))
            walk_enter(walk, copy);
        else
            walk->single = copy;
        return walk;
    }
    free(copy);
    free(walk);
    return NULL;
}

void walk_close(struct walk *walk)
{
    if (!walk)
        return;
    while (walk->depth > 0)
        walk_leave(walk);
    free(walk->single);
    free(walk);
}

/* The next path, of whatever kind; NULL: there are no more. */
static char *walk_step(struct walk *walk)
{
    while (walk->depth > 0) {
        const char    *directory = walk->paths[walk->depth - 1];
        struct dirent *entry;

        errno = 0;
        entry = readdir(walk->directories[walk->depth - 1]);
        if (!entry) {
            if (errno)
                walk->note(directory, strerror(errno), true, walk->arg);
            walk_leave(walk);
        } else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            return path_join(directory, entry->d_name);
        }
    }
    return NULL;
}

/* Opens a regular file; enters a directory; passes over the rest. Takes `path` unless it gives a descriptor.
 * O_NONBLOCK: a file that turned into a FIFO since it was looked at must not block. */
static int walk_visit(struct walk *walk, char *path, uint64_t *size)
{
    struct stat facts;
    int         file;

    if (lstat(path, &facts) != 0) {
        walk->note(path, strerror(errno), true, walk->arg);
    } else if (S_ISDIR(facts.st_mode)) {
        walk_enter(walk, path);
        return -1;
    } else if (S_ISREG(facts.st_mode)) {
        file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        *size = (uint64_t)facts.st_size;
        if (file >= 0)
            return file;
        walk->note(path, strerror(errno), true, walk->arg);
    } else if (!S_ISLNK(facts.st_mode)) {
        char what[32];

        snprintf(what, sizeof what, "skipped: %s", kind_name(facts.st_mode));
        walk->note(path, what, false, walk->arg);
    }
    free(path);
    return -1;
}

int walk_next(struct walk *walk, char **path, uint64_t *size)
{
    char *next = walk->single;

    walk->single = NULL;
    while (next || (next = walk_step(walk))) {
        int file;

        file = walk_visit(walk, next, size);
        if (file >= 0) {
            *path = next;
            return file;
        }
        next = NULL;
    }
    return -1;
}
