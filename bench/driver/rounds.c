#include "rounds.h"

#include "measure/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench_rounds {
    bench_choice   choice;
    bench_outcome *outcomes; /* by round, workload and peer */
};

bool bench_choice_has(const bench_choice *choice, const bench_peer *peer, const bench_workload *workload)
{
    bool peer_is_chosen = !choice->peer || choice->peer == peer || peer == &bench_peers[BENCH_FLOOR];
    bool workload_is_chosen = !choice->workload || choice->workload == workload;
    bool is_built = choice->kinds[peer - bench_peers] & BENCH_HAS(workload->kind);

    return peer_is_chosen && workload_is_chosen && is_built && bench_peer_runs(peer, workload);
}

static bench_outcome *rounds_outcome(const bench_rounds *rounds, size_t round, const bench_peer *peer,
                                     const bench_workload *workload)
{
    size_t workload_index = (size_t)(workload - bench_workloads);
    size_t peer_index = (size_t)(peer - bench_peers);

    return &rounds->outcomes[(round * bench_workload_count + workload_index) * bench_peer_count + peer_index];
}

static void results_compare(bench_results *results, const bench_results *floor)
{
    const double *mine = results->figures;
    const double *its = floor->figures;

    results->figures[BENCH_CALLS_RATIO] = mine[BENCH_CALLS_PER_S] / its[BENCH_CALLS_PER_S];
    results->figures[BENCH_CPU_RATIO] = (mine[BENCH_CLIENT_US_PER_CALL] + mine[BENCH_SERVER_US_PER_CALL]) /
                                        (its[BENCH_CLIENT_US_PER_CALL] + its[BENCH_SERVER_US_PER_CALL]);
}

/* Where a person looks on; it leaves nothing behind. */
static void progress_show(const bench_choice *choice, size_t round, const char *peer, const char *workload)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\rround %zu of %zu: %s, %s\033[K", round + 1, choice->rounds, peer, workload);
}

static void progress_clear(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* All peers on one workload, the floor first: each is compared with the floor's run just before. */
static bool rounds_run_workload(bench_rounds *rounds, const bench_setting *setting, size_t round,
                                const bench_workload *workload)
{
    const bench_outcome *floor = rounds_outcome(rounds, round, &bench_peers[BENCH_FLOOR], workload);

    for (size_t i = 0; i < bench_peer_count; i++) {
        const bench_peer *peer = &bench_peers[i];
        bench_outcome    *outcome = rounds_outcome(rounds, round, peer, workload);

        if (!bench_choice_has(&rounds->choice, peer, workload))
            continue;
        progress_show(&rounds->choice, round, peer->name, workload->name);
        if (!bench_pair_run(setting, peer, workload, workload->rate, outcome))
            return false;
        if (bench_choice_has(&rounds->choice, &bench_peers[BENCH_FLOOR], workload))
            results_compare(&outcome->results, &floor->results);
    }
    return true;
}

bench_rounds *bench_rounds_run(const bench_setting *setting, const bench_choice *choice)
{
    bench_rounds *rounds = bench_alloc(1, sizeof *rounds);
    bool          done = true;

    rounds->choice = *choice;
    rounds->outcomes =
        bench_alloc(choice->rounds * bench_workload_count * bench_peer_count, sizeof *rounds->outcomes);
    for (size_t round = 0; done && round < choice->rounds; round++) {
        for (size_t i = 0; done && i < bench_workload_count; i++)
            done = rounds_run_workload(rounds, setting, round, &bench_workloads[i]);
    }
    progress_clear();
    if (done)
        return rounds;
    bench_rounds_free(rounds);
    return NULL;
}

void bench_rounds_free(bench_rounds *rounds)
{
    if (!rounds)
        return;
    free(rounds->outcomes);
    free(rounds);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

bench_results bench_rounds_median(const bench_rounds *rounds, const bench_peer *peer,
                                  const bench_workload *workload)
{
    size_t        count = rounds->choice.rounds;
    double       *values = bench_alloc(count, sizeof *values);
    bench_results results;

    for (size_t figure = 0; figure < BENCH_FIGURES; figure++) {
        for (size_t round = 0; round < count; round++)
            values[round] = rounds_outcome(rounds, round, peer, workload)->results.figures[figure];
        results.figures[figure] = median(values, count);
    }
    free(values);
    return results;
}

const char *bench_rounds_raised(const bench_rounds *rounds, const bench_peer *peer,
                                const bench_workload *workload)
{
    return rounds_outcome(rounds, 0, peer, workload)->raised;
}
