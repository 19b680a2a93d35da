#include "rounds.h"

#include "child.h"
#include "measure/fail.h"
#include "say.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* What a run takes beside measuring, for the guess of how long all will take. */
#define START_SECONDS 0.15
#define WEIGH_SECONDS 6
#define WARM_UP_SHARE 0.2

/* Where time is short, what takes longer is run once, but for vow's. */
#define SLOW_SECONDS 1

/* Whose calls a second a share is taken of. */
#define CAPACITY_WORKLOAD "unary-100"

struct rounds {
    const bench_setting *setting;
    const bench_choice  *choice;
    bench_record        *record;
    uint64_t             began_ns;
    double               last_round_s; /* how long the last one took */
    size_t               runs;         /* so far */
    size_t               planned;      /* in all */
    bool                 has_failed;
};

void bench_choice_init(bench_choice *choice)
{
    choice->wanted = bench_alloc(bench_workload_count * bench_peer_count, sizeof *choice->wanted);
}

void bench_choice_done(bench_choice *choice)
{
    free(choice->wanted);
}

bool *bench_choice_has(const bench_choice *choice, const bench_peer *peer, const bench_workload *workload)
{
    return &choice->wanted[(size_t)(workload - bench_workloads) * bench_peer_count +
                           (size_t)(peer - bench_peers)];
}

size_t bench_choice_count(const bench_choice *choice)
{
    size_t count = 0;

    for (size_t i = 0; i < bench_workload_count * bench_peer_count; i++)
        count += choice->wanted[i];
    return count;
}

double bench_choice_seconds(const bench_choice *choice, const bench_setting *setting)
{
    double seconds = 0;

    for (size_t w = 0; w < bench_workload_count; w++) {
        bool   is_weighed = bench_workload_is_weighed(&bench_workloads[w]);
        double takes = is_weighed ? WEIGH_SECONDS * setting->weighed_share
                                  : setting->seconds * (1 + WARM_UP_SHARE) + START_SECONDS;

        for (size_t p = 0; p < bench_peer_count; p++)
            seconds += *bench_choice_has(choice, &bench_peers[p], &bench_workloads[w]) ? takes : 0;
    }
    return seconds;
}

static double rounds_seconds(const struct rounds *rounds)
{
    return (double)(uv_hrtime() - rounds->began_ns) / 1e9;
}

static void progress_show(const struct rounds *rounds, size_t round, const bench_cell *cell)
{
    double left_s =
        rounds->runs
            ? rounds_seconds(rounds) / (double)rounds->runs * (double)(rounds->planned - rounds->runs)
            : bench_choice_seconds(rounds->choice, rounds->setting) * (double)rounds->choice->rounds;

    bench_say_progress("round %zu of %zu, run %zu of %zu, %.0f:%02.0f left: %s, %s", round + 1,
                       rounds->choice->rounds, rounds->runs + 1, rounds->planned, floor(left_s / 60),
                       floor(fmod(left_s, 60)), cell->workload, cell->peer);
}

static double ratio(const bench_results *mine, const bench_results *floor, bench_figure figure)
{
    return mine->figures[figure] / floor->figures[figure];
}

static void results_add_sides(bench_results *results)
{
    results->figures[BENCH_CPU_US_PER_CALL] =
        results->figures[BENCH_CLIENT_US_PER_CALL] + results->figures[BENCH_SERVER_US_PER_CALL];
}

static void results_compare(bench_results *results, const bench_results *floor)
{
    results->figures[BENCH_CALLS_RATIO] = ratio(results, floor, BENCH_CALLS_PER_S);
    results->figures[BENCH_CPU_RATIO] = ratio(results, floor, BENCH_CPU_US_PER_CALL);
    results->figures[BENCH_P50_RATIO] = ratio(results, floor, BENCH_P50_US);
    results->figures[BENCH_P99_RATIO] = ratio(results, floor, BENCH_P99_US);
}

/* The rate of the open loop: the workload's, or its share of what the peer did in the closed loop of this
 * round, which is run for that if it was not chosen. False: that failed. */
static bool rate_choose(struct rounds *rounds, const bench_peer *peer, const bench_workload *workload,
                        size_t round, double *rate)
{
    const bench_cell *cell;
    bench_outcome     outcome;

    *rate = workload->rate;
    if (workload->rate_of <= 0)
        return true;
    cell = bench_record_find(rounds->record, CAPACITY_WORKLOAD, peer->name);
    if (cell && cell->count > round) {
        outcome.results = cell->rounds[round];
    } else {
        const bench_workload *full = bench_workload_find(CAPACITY_WORKLOAD);

        if (!bench_pair_run(rounds->setting, peer, full, 0, &outcome))
            return false;
    }
    *rate = workload->rate_of * outcome.results.figures[BENCH_CALLS_PER_S];
    return true;
}

static void rounds_run_pair(struct rounds *rounds, size_t round, const bench_peer *peer,
                            const bench_workload *workload)
{
    bench_cell       *cell = bench_record_find(rounds->record, workload->name, peer->name);
    const bench_cell *floor =
        bench_record_find(rounds->record, workload->name, bench_peers[BENCH_FLOOR].name);
    bench_outcome outcome = { .results = bench_results_unknown() };
    double        began_s = rounds_seconds(rounds);
    double        rate;

    if (cell->has_failed || cell->is_slow)
        return;
    progress_show(rounds, round, cell);
    if (!rate_choose(rounds, peer, workload, round, &rate) ||
        !bench_pair_run(rounds->setting, peer, workload, rate, &outcome)) {
        cell->has_failed = !bench_signal_caught();
        rounds->has_failed = true;
        return;
    }
    results_add_sides(&outcome.results);
    if (floor && (floor == cell || floor->count > round))
        results_compare(&outcome.results, floor == cell ? &outcome.results : &floor->rounds[round]);
    snprintf(cell->raised, sizeof cell->raised, "%s", outcome.raised);
    bench_cell_add(cell, &outcome.results);
    cell->is_slow = rounds->choice->most_seconds > 0 && !bench_peer_is_ours(peer) &&
                    rounds_seconds(rounds) - began_s > SLOW_SECONDS;
}

/* All peers on one workload, the floor first: each is compared with the floor's run just before. */
static void rounds_run_round(struct rounds *rounds, size_t round)
{
    for (size_t w = 0; w < bench_workload_count; w++) {
        for (size_t p = 0; p < bench_peer_count; p++) {
            if (!*bench_choice_has(rounds->choice, &bench_peers[p], &bench_workloads[w]))
                continue;
            if (bench_signal_caught())
                return;
            rounds_run_pair(rounds, round, &bench_peers[p], &bench_workloads[w]);
            rounds->runs++;
        }
    }
}

static void rounds_add_cells(const struct rounds *rounds)
{
    for (size_t w = 0; w < bench_workload_count; w++) {
        for (size_t p = 0; p < bench_peer_count; p++) {
            if (*bench_choice_has(rounds->choice, &bench_peers[p], &bench_workloads[w]))
                bench_record_add(rounds->record, bench_workloads[w].name, bench_peers[p].name);
        }
    }
}

/* Would another round, as long as the last one, end in time? */
static bool rounds_have_time(const struct rounds *rounds)
{
    double most_seconds = rounds->choice->most_seconds;

    return most_seconds <= 0 || rounds_seconds(rounds) + rounds->last_round_s < most_seconds;
}

bool bench_rounds_run(const bench_setting *setting, const bench_choice *choice, bench_record *record)
{
    struct rounds rounds = {
        .setting = setting,
        .choice = choice,
        .record = record,
        .began_ns = uv_hrtime(),
        .planned = bench_choice_count(choice) * choice->rounds,
    };

    record->seconds = setting->seconds;
    rounds_add_cells(&rounds);
    for (size_t round = 0; round < choice->rounds && !bench_signal_caught(); round++) {
        double before_s = rounds_seconds(&rounds);

        if (!rounds_have_time(&rounds))
            break;
        rounds_run_round(&rounds, round);
        rounds.last_round_s = rounds_seconds(&rounds) - before_s;
    }
    bench_say_no_progress();
    return !rounds.has_failed && !bench_signal_caught();
}
