#include "tools/vow-load/tally.h"

#include <stdio.h>
#include <string.h>

uint64_t load_tally_failed(const load_tally *tally)
{
    uint64_t failed = 0;

    for (size_t i = 0; i < LOAD_CODES; i++)
        failed += tally->failed[i];
    return failed;
}

/* How many bytes of `words` fit: no letter of UTF-8 is cut in two. */
static size_t words_that_fit(const char *words)
{
    size_t size = strlen(words);

    if (size < LOAD_EXAMPLE_SIZE)
        return size;
    for (size = LOAD_EXAMPLE_SIZE - 1; size > 0 && ((unsigned char)words[size] & 0xc0) == 0x80;)
        size--;
    return size;
}

void load_tally_fail(load_tally *tally, unsigned code, const char *words)
{
    if (tally->failed[code]++ == 0)
        snprintf(tally->example[code], LOAD_EXAMPLE_SIZE, "%.*s", (int)words_that_fit(words), words);
}

void load_tally_merge(load_tally *tally, const load_tally *other)
{
    tally->begun += other->begun;
    tally->answered += other->answered;
    tally->unfinished += other->unfinished;
    tally->completed += other->completed;
    tally->request_bytes += other->request_bytes;
    tally->reply_bytes += other->reply_bytes;
    tally->replies += other->replies;
    for (size_t i = 0; i < LOAD_CODES; i++) {
        if (tally->failed[i] == 0)
            memcpy(tally->example[i], other->example[i], LOAD_EXAMPLE_SIZE);
        tally->failed[i] += other->failed[i];
    }
    stats_histogram_merge(&tally->latency, &other->latency);
    stats_histogram_merge(&tally->lag, &other->lag);
}
