/* NSGA-II: its parts against definitions and by hand, and the whole on problems whose
 * answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "nas/nsga2.h"
#include "unit/child.h"
#include "unit/spaces.h"

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-12))
        fail_msg("%.17g, expected %.17g", found, expected);
}

/* ---- domination and fronts ---- */

static void domination_is_nowhere_worse_and_somewhere_better(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3}, b[] = {1, 2, 4}, c[] = {0, 3, 3};
    assert_true(nsga2_dominates(a, b, 3));
    assert_false(nsga2_dominates(b, a, 3));
    assert_false(nsga2_dominates(a, a, 3));
    assert_false(nsga2_dominates(a, c, 3));
    assert_false(nsga2_dominates(c, a, 3));
    assert_false(nsga2_dominates(a, b, 2)); /* equal in the first two */
    assert_true(nsga2_dominates(c, a, 1));
}

enum { GROUP_MAX = 80 };

/* Integer objectives, few values: most of them tie. */
static int random_group(struct rng *rng, struct individual *group, int n_objectives)
{
    int n = 1 + (int)rng_below(rng, GROUP_MAX);
    uint32_t values = 1 + rng_below(rng, 12);
    for (int i = 0; i < n; i++) {
        group[i] = (struct individual){.path = {.n = 2}};
        group[i].path.op[0] = (uint8_t)(i / 9);
        group[i].path.op[1] = (uint8_t)(i % 9);
        group[i].front = -1;
        for (int m = 0; m < n_objectives; m++)
            group[i].objective[m] = (double)rng_below(rng, values) - 4;
    }
    return n;
}

/* The definition, peeled one front at a time: front f is what nobody dominates among
 * those that are in no earlier front. */
static int peel_fronts(const struct individual *group, int n, int n_objectives,
                       int *front)
{
    int n_fronts = 0;
    for (int i = 0; i < n; i++)
        front[i] = -1;
    for (int left = n; left > 0; n_fronts++) {
        int peeled[GROUP_MAX], n_peeled = 0;
        for (int i = 0; i < n; i++) {
            bool dominated = front[i] >= 0;
            for (int j = 0; j < n && !dominated; j++) {
                if (front[j] >= 0)
                    continue;
                int worse = 0, better = 0;
                for (int m = 0; m < n_objectives; m++) {
                    worse += group[j].objective[m] > group[i].objective[m];
                    better += group[j].objective[m] < group[i].objective[m];
                }
                dominated = worse == 0 && better > 0;
            }
            if (!dominated)
                peeled[n_peeled++] = i;
        }
        for (int i = 0; i < n_peeled; i++)
            front[peeled[i]] = n_fronts;
        left -= n_peeled;
    }
    return n_fronts;
}

static void fronts_are_what_is_left_undominated_layer_by_layer(void **state)
{
    (void)state;
    int deepest = 0;
    for (uint32_t run = 0; run < 500; run++) {
        struct rng rng = rng_stream(1, RNG_TEST, 0, run);
        int n_objectives = 1 + (int)(run % NSGA2_OBJECTIVES_MAX), front[GROUP_MAX];
        struct individual group[GROUP_MAX];
        int n = random_group(&rng, group, n_objectives);
        int n_fronts = peel_fronts(group, n, n_objectives, front);
        assert_int_equal(nsga2_sort_fronts(group, n, n_objectives), n_fronts);
        for (int i = 0; i < n; i++)
            assert_int_equal(group[i].front, front[i]);
        deepest = n_fronts > deepest ? n_fronts : deepest;
    }
    assert_true(deepest > 10);
}

/* ---- crowding ---- */

static struct individual at(double x, double y, int number)
{
    struct individual one = {.path = {.n = 2}, .objective = {x, y}};
    one.path.op[0] = (uint8_t)(number / 9);
    one.path.op[1] = (uint8_t)(number % 9);
    return one;
}

/* One front of five, in no order. Sorted by x: (0,10) (1,6) (4,5) (8,1) (10,0); both
 * ranges are 10. (1,6): (4-0)/10 and (10-5)/10; (4,5): (8-1)/10 and (6-1)/10; (8,1):
 * (10-4)/10 and (5-0)/10. The mean of both. */
static void crowding_is_the_mean_gap_between_the_neighbours(void **state)
{
    (void)state;
    struct individual group[] = {at(4, 5, 0), at(10, 0, 1), at(0, 10, 2), at(8, 1, 3),
                                 at(1, 6, 4)};
    assert_int_equal(nsga2_sort_fronts(group, 5, 2), 1);
    nsga2_crowding(group, 5, 2);
    assert_near(group[0].crowding, (0.7 + 0.5) / 2);
    assert_true(isinf(group[1].crowding) && isinf(group[2].crowding));
    assert_near(group[3].crowding, (0.6 + 0.5) / 2);
    assert_near(group[4].crowding, (0.4 + 0.5) / 2);
}

/* Two fronts that lie within each other: neighbours and ranges are those of the own
 * front. Front 0: (0,4) (1,1) (4,0); front 1: (2,8) (3,6) (10,4). */
static void each_front_is_crowded_by_itself(void **state)
{
    (void)state;
    struct individual group[] = {at(0, 4, 0), at(2, 8, 1),  at(1, 1, 2),
                                 at(3, 6, 3), at(10, 4, 4), at(4, 0, 5)};
    assert_int_equal(nsga2_sort_fronts(group, 6, 2), 2);
    nsga2_crowding(group, 6, 2);
    assert_int_equal(group[3].front, 1);
    assert_near(group[2].crowding, 1.0);
    assert_near(group[3].crowding, 1.0);
    for (int i = 0; i < 6; i++)
        if (i != 2 && i != 3)
            assert_true(isinf(group[i].crowding));
}

static void fronts_of_one_or_two_are_infinitely_far_apart(void **state)
{
    (void)state;
    struct individual group[] = {at(1, 1, 0), at(2, 3, 1), at(3, 2, 2)};
    assert_int_equal(nsga2_sort_fronts(group, 3, 2), 2);
    nsga2_crowding(group, 3, 2);
    for (int i = 0; i < 3; i++)
        assert_true(isinf(group[i].crowding) && group[i].crowding > 0);
}

/* All at y = 7 and x = 5: nobody is at an end of anything. */
static void an_objective_that_never_changes_adds_nothing(void **state)
{
    (void)state;
    struct individual same[4];
    for (int i = 0; i < 4; i++)
        same[i] = at(5, 7, i);
    assert_int_equal(nsga2_sort_fronts(same, 4, 2), 1);
    nsga2_crowding(same, 4, 2);
    for (int i = 0; i < 4; i++)
        assert_true(same[i].crowding == 0);

    /* Three objectives, the third constant: (0,2) (1,1) (2,0) as if it were not there,
     * but the mean is over three. */
    struct individual flat[] = {at(1, 1, 0), at(0, 2, 1), at(2, 0, 2)};
    for (int i = 0; i < 3; i++)
        flat[i].objective[2] = 9;
    assert_int_equal(nsga2_sort_fronts(flat, 3, 3), 1);
    nsga2_crowding(flat, 3, 3);
    assert_near(flat[0].crowding, (1.0 + 1.0 + 0.0) / 3);
    assert_true(isinf(flat[1].crowding) && isinf(flat[2].crowding));
}

/* (0,2) (1,1) (1,1) (2,0): duplicates are each other's neighbour. The one with the
 * lower genotype comes first in both objectives: for x, gaps (1-0)/2 and (2-1)/2; for
 * y, where (2,0) is first, also 1/2 each. */
static void duplicates_are_each_others_neighbours(void **state)
{
    (void)state;
    struct individual group[] = {at(1, 1, 5), at(0, 2, 7), at(1, 1, 3), at(2, 0, 1)};
    assert_int_equal(nsga2_sort_fronts(group, 4, 2), 1);
    nsga2_crowding(group, 4, 2);
    assert_near(group[0].crowding, 0.5);
    assert_near(group[2].crowding, 0.5);
}

/* The same individuals in another order: the same crowding for each. */
static void crowding_does_not_depend_on_the_order_of_the_input(void **state)
{
    (void)state;
    for (uint32_t run = 0; run < 100; run++) {
        struct rng rng = rng_stream(2, RNG_TEST, 0, run);
        struct individual group[GROUP_MAX], shuffled[GROUP_MAX];
        int n = random_group(&rng, group, 2), order[GROUP_MAX];
        for (int i = 0; i < n; i++)
            order[i] = i;
        rng_shuffle(&rng, order, n);
        for (int i = 0; i < n; i++)
            shuffled[i] = group[order[i]];
        nsga2_sort_fronts(group, n, 2);
        nsga2_crowding(group, n, 2);
        nsga2_sort_fronts(shuffled, n, 2);
        nsga2_crowding(shuffled, n, 2);
        for (int i = 0; i < n; i++)
            assert_true(shuffled[i].crowding == group[order[i]].crowding);
    }
}

/* (0,inf) (1,5) (2,0): infinity has no scale, so the second objective adds nothing and
 * has no ends; in the first the gap is the whole range. */
static void an_infinite_objective_has_no_scale(void **state)
{
    (void)state;
    struct individual group[] = {at(0, HUGE_VAL, 0), at(1, 5, 1), at(2, 0, 2)};
    assert_int_equal(nsga2_sort_fronts(group, 3, 2), 1);
    nsga2_crowding(group, 3, 2);
    assert_near(group[1].crowding, 0.5);
    struct individual worst[] = {at(HUGE_VAL, HUGE_VAL, 0), at(HUGE_VAL, HUGE_VAL, 1),
                                 at(HUGE_VAL, HUGE_VAL, 2)};
    assert_int_equal(nsga2_sort_fronts(worst, 3, 2), 1);
    nsga2_crowding(worst, 3, 2);
    for (int i = 0; i < 3; i++)
        assert_true(worst[i].crowding == 0);
}

/* ---- hypervolume ---- */

/* Reference (10, 10). (2,5): 8 * 5 = 40; (4,3) adds 6 * 2 = 12; (7,1) adds 3 * 2 = 6.
 * (5,6) is dominated, (3,5) and (4,3) again add nothing, (11,0) and (0,10) are outside.
 */
static void hypervolume_is_the_area_of_the_staircase(void **state)
{
    (void)state;
    const double points[][2] = {{7, 1}, {2, 5}, {5, 6},  {4, 3},
                                {3, 5}, {4, 3}, {11, 0}, {0, 10}};
    const double reference[2] = {10, 10};
    assert_near(nsga2_hypervolume(points, 8, reference), 58);
    assert_near(nsga2_hypervolume(points, 1, reference), 27);
    assert_near(nsga2_hypervolume(points, 0, reference), 0);
    assert_near(nsga2_hypervolume(points + 6, 2, reference), 0);
}

/* ---- the whole search ---- */

/* What `evaluate` was asked, for the tests to look at afterwards. */
struct watch {
    struct space space;
    void (*objectives)(const struct path *path, double *objective);
    bool (*allowed)(const struct path *path);
    bool (*construct)(struct rng *rng, struct path *path, void *context);
    bool backwards; /* evaluate the last path of a batch first */
    int calls, largest_batch;
    struct path_map *seen;
    bool seen_twice, saw_forbidden;
};

static bool watched_feasible(const struct path *path, void *context)
{
    const struct watch *watch = context;
    return watch->allowed == NULL || watch->allowed(path);
}

static void watched_evaluate(const struct path *path, int n,
                             double (*objective)[NSGA2_OBJECTIVES_MAX], void *context)
{
    struct watch *watch = context;
    watch->calls++;
    watch->largest_batch = n > watch->largest_batch ? n : watch->largest_batch;
    for (int i = 0; i < n; i++) {
        int at_index = watch->backwards ? n - 1 - i : i;
        const struct path *one = &path[at_index];
        watch->seen_twice |= path_map_find(watch->seen, one) >= 0;
        watch->saw_forbidden |= watch->allowed != NULL && !watch->allowed(one);
        path_map_insert(watch->seen, one);
        watch->objectives(one, objective[at_index]);
    }
}

static struct nsga2 *search(struct watch *watch, int layers, int ops,
                            const struct nsga2_settings *settings)
{
    watch->space = space_from(plain_config(layers, ops));
    watch->seen = path_map_create();
    const struct nsga2_problem problem = {
        .space = &watch->space,
        .n_objectives = 2,
        .feasible = watched_feasible,
        .evaluate = watched_evaluate,
        .context = watch,
        .construct = watch->construct,
    };
    return nsga2_create(&problem, settings);
}

static void search_end(struct nsga2 *nsga2, struct watch *watch)
{
    nsga2_free(nsga2);
    path_map_free(watch->seen);
}

static uint64_t scrambled(const struct path *path)
{
    return path_hash(path) >> 8;
}

/* A rugged trade-off: the sum of the genes against "errors" that fall with it, but for
 * a noise of each path's own. Few distinct values: many ties. */
static void rugged(const struct path *path, double *objective)
{
    int sum = 0;
    for (int l = 0; l < path->n; l++)
        sum += path->op[l];
    objective[0] = 40 - sum + (double)(scrambled(path) % 12);
    objective[1] = sum;
}

static bool even_first_half(const struct path *path)
{
    int sum = 0;
    for (int l = 0; l < path->n / 2; l++)
        sum += path->op[l];
    return sum % 2 == 0;
}

/* Does a come before b: by front, the less crowded first, then objectives, genotype? */
static bool comes_first(const struct individual *a, const struct individual *b)
{
    if (a->front != b->front)
        return a->front < b->front;
    if (a->crowding != b->crowding)
        return a->crowding > b->crowding;
    for (int m = 0; m < 2; m++)
        if (a->objective[m] != b->objective[m])
            return a->objective[m] < b->objective[m];
    return path_compare(&a->path, &b->path) < 0;
}

static void the_population_is_sorted_with_every_tie_broken(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged};
    const struct nsga2_settings settings = {50, 20, 0.1, 1};
    struct nsga2 *nsga2 = search(&watch, 12, 4, &settings);
    assert_int_equal(nsga2_start(nsga2, NULL, 0), 0);
    int ties = 0;
    for (int g = 0;; g++) {
        const struct individual *who;
        int n = nsga2_population(nsga2, &who);
        assert_int_equal(nsga2_generation(nsga2), g);
        assert_int_equal(n, 50);
        for (int i = 1; i < n; i++) {
            assert_true(comes_first(&who[i - 1], &who[i])); /* so none is there twice */
            ties += who[i - 1].front == who[i].front &&
                    who[i - 1].crowding == who[i].crowding;
        }
        if (!nsga2_advance(nsga2))
            break;
    }
    assert_true(ties > 100);
    assert_int_equal(nsga2_generation(nsga2), 19);
    search_end(nsga2, &watch);
}

static void n_generations_of_m_evaluate_n_times_m_paths_once_each(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged, .allowed = even_first_half};
    const struct nsga2_settings settings = {50, 20, 0.1, 2};
    struct nsga2 *nsga2 = search(&watch, 12, 4, &settings);
    nsga2_start(nsga2, NULL, 0);
    while (nsga2_advance(nsga2))
        ;
    assert_false(nsga2_advance(nsga2));
    const struct individual *who;
    const int *generation;
    assert_int_equal(nsga2_evaluated(nsga2, &who, &generation), 1000);
    assert_int_equal(path_map_size(watch.seen), 1000);
    assert_int_equal(watch.calls, 20);
    assert_int_equal(watch.largest_batch, 50);
    assert_false(watch.seen_twice);
    assert_false(watch.saw_forbidden);
    for (int i = 0; i < 1000; i++) {
        double expected[NSGA2_OBJECTIVES_MAX];
        rugged(&who[i].path, expected);
        assert_int_equal(generation[i], i / 50);
        assert_true(who[i].objective[0] == expected[0]);
        assert_true(who[i].objective[1] == expected[1]);
        assert_true(path_equal(path_map_at(watch.seen, i), &who[i].path));
    }
    /* About every second path is forbidden. */
    assert_true(nsga2_rejected_infeasible(nsga2) > 500);
    search_end(nsga2, &watch);
}

static void survivors_are_the_best_of_parents_and_offspring(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged};
    const struct nsga2_settings settings = {20, 8, 0.1, 3};
    struct nsga2 *nsga2 = search(&watch, 12, 4, &settings);
    nsga2_start(nsga2, NULL, 0);
    struct individual both[40];
    const struct individual *who;
    const int *generation;
    int n = nsga2_population(nsga2, &who);
    memcpy(both, who, (size_t)n * sizeof *who);
    while (nsga2_advance(nsga2)) {
        long n_evaluated = nsga2_evaluated(nsga2, &who, &generation);
        memcpy(both + 20, who + n_evaluated - 20, 20 * sizeof *who);
        int front[40], in_front[40] = {0};
        peel_fronts(both, 40, 2, front);
        for (int i = 0; i < 40; i++)
            in_front[front[i]]++;
        n = nsga2_population(nsga2, &who);
        /* Whole fronts, best first, and the last one as far as there is room. */
        for (int i = 0, f = 0; i < n; i++) {
            while (in_front[f] == 0)
                f++;
            assert_int_equal(who[i].front, f);
            in_front[f]--;
        }
        memcpy(both, who, (size_t)n * sizeof *who);
    }
    search_end(nsga2, &watch);
}

static void the_first_population_takes_the_feasible_distinct_ones_in_order(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged, .allowed = even_first_half};
    const struct nsga2_settings settings = {6, 2, 0.1, 4};
    struct nsga2 *nsga2 = search(&watch, 4, 4, &settings);
    const struct path initial[] = {
        {4, {1, 1, 0, 0}}, {4, {1, 0, 0, 0}} /* forbidden */,
        {4, {2, 0, 0, 0}}, {4, {1, 1, 0, 0}} /* again */,
        {4, {0, 0, 3, 3}},
    };
    assert_int_equal(nsga2_start(nsga2, initial, 5), 3);
    assert_int_equal(path_map_size(watch.seen), 6);
    assert_true(path_equal(path_map_at(watch.seen, 0), &initial[0]));
    assert_true(path_equal(path_map_at(watch.seen, 1), &initial[2]));
    assert_true(path_equal(path_map_at(watch.seen, 2), &initial[4]));
    assert_false(watch.saw_forbidden);
    search_end(nsga2, &watch);
}

static void no_more_than_a_population_is_taken_from_the_initial_paths(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged};
    const struct nsga2_settings settings = {3, 2, 0.1, 5};
    struct nsga2 *nsga2 = search(&watch, 4, 4, &settings);
    struct path initial[8];
    for (int i = 0; i < 8; i++)
        initial[i] = (struct path){4, {0, 0, (uint8_t)(i / 4), (uint8_t)(i % 4)}};
    assert_int_equal(nsga2_start(nsga2, initial, 8), 3);
    assert_int_equal(path_map_size(watch.seen), 3);
    search_end(nsga2, &watch);
}

static int changed_genes(const struct path *a, const struct path *b)
{
    int changed = 0;
    for (int l = 0; l < a->n; l++)
        changed += a->op[l] != b->op[l];
    return changed;
}

/* A population of one: crossover has nothing to mix, so each offspring is a mutant of
 * the only parent, and no offspring is better than the first. */
static void every_genotype_alike(const struct path *path, double *objective)
{
    objective[0] = objective[1] = path->op[0] == 2 && path->op[1] == 2 ? 0 : 1;
}

static void at_rate_0_exactly_one_gene_changes_at_rate_1_all_of_them(void **state)
{
    (void)state;
    for (int rate = 0; rate <= 1; rate++) {
        struct watch watch = {.objectives = every_genotype_alike};
        const struct nsga2_settings settings = {1, 15, rate, 6};
        struct nsga2 *nsga2 = search(&watch, 12, 4, &settings);
        const struct path parent = {12, {2, 2}};
        nsga2_start(nsga2, &parent, 1);
        while (nsga2_advance(nsga2)) {
            const struct individual *best, *all;
            const int *generation;
            nsga2_population(nsga2, &best);
            long n = nsga2_evaluated(nsga2, &all, &generation);
            if (best->objective[0] != 0)
                break;
            int changed = changed_genes(&best->path, &all[n - 1].path);
            if (path_equal(&best->path, &parent))
                assert_int_equal(changed, rate == 0 ? 1 : 12);
        }
        search_end(nsga2, &watch);
    }
}

/* Offspring of parents that differ nowhere but in the second half inherit the first. */
static void crossover_mixes_genes_of_both_parents(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged};
    const struct nsga2_settings settings = {2, 2, 0.0, 7};
    int mixed = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct nsga2_settings seeded = settings;
        seeded.seed = seed;
        struct nsga2 *nsga2 = search(&watch, 12, 4, &seeded);
        struct path initial[2] = {{.n = 12}, {.n = 12}};
        for (int l = 6; l < 12; l++)
            initial[1].op[l] = 3;
        nsga2_start(nsga2, initial, 2);
        assert_true(nsga2_advance(nsga2));
        const struct individual *who;
        const int *generation;
        nsga2_evaluated(nsga2, &who, &generation);
        for (int i = 2; i < 4; i++) {
            int of_neither = 0, of_second = 0;
            for (int l = 0; l < 12; l++) {
                bool first = who[i].path.op[l] == initial[0].op[l];
                bool second = who[i].path.op[l] == initial[1].op[l];
                of_neither += !first && !second;
                of_second += l >= 6 && second;
            }
            assert_true(of_neither <= 1);
            mixed += of_second >= 2 && of_second <= 4;
        }
        search_end(nsga2, &watch);
    }
    assert_true(mixed > 15);
}

/* Of two parents, one dominates. Each parent of an offspring is the better of two
 * draws: the dominating one with chance 3/4, and so is each gene but for the mutated
 * one. */
static void fewer_nonzero_genes(const struct path *path, double *objective)
{
    objective[0] = objective[1] = 0;
    for (int l = 0; l < path->n; l++)
        objective[0] += path->op[l] != 0;
}

static void tournaments_prefer_the_better_of_two(void **state)
{
    (void)state;
    int of_better = 0, of_worse = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct watch watch = {.objectives = fewer_nonzero_genes};
        const struct nsga2_settings settings = {2, 2, 0.0, seed};
        struct nsga2 *nsga2 = search(&watch, 20, 13, &settings);
        struct path initial[2] = {{.n = 20}, {.n = 20}};
        memset(initial[1].op, 12, 20);
        nsga2_start(nsga2, initial, 2);
        assert_true(nsga2_advance(nsga2));
        for (int i = 2; i < 4; i++) {
            const struct path *child = path_map_at(watch.seen, i);
            for (int l = 0; l < 20; l++) {
                of_better += child->op[l] == 0;
                of_worse += child->op[l] == 12;
            }
        }
        search_end(nsga2, &watch);
    }
    double share = (double)of_better / (of_better + of_worse);
    assert_true(share > 0.70 && share < 0.80);
}

/* Every path of 3^4 that is feasible gets evaluated, then the search ends. */
static void a_small_space_is_exhausted_and_the_search_stops(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged, .allowed = even_first_half};
    const struct nsga2_settings settings = {10, 1000, 0.1, 8};
    struct nsga2 *nsga2 = search(&watch, 4, 3, &settings);
    nsga2_start(nsga2, NULL, 0);
    while (nsga2_advance(nsga2))
        ;
    /* 5 of the 9 pairs of first genes have an even sum: 45 paths, 5 batches. */
    assert_int_equal(path_map_size(watch.seen), 45);
    assert_int_equal(nsga2_generation(nsga2), 4);
    assert_false(nsga2_advance(nsga2));
    assert_false(watch.seen_twice || watch.saw_forbidden);
    search_end(nsga2, &watch);
}

static void a_space_smaller_than_the_population_is_taken_whole(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged};
    const struct nsga2_settings settings = {50, 20, 0.1, 9};
    struct nsga2 *nsga2 = search(&watch, 3, 2, &settings);
    nsga2_start(nsga2, NULL, 0);
    const struct individual *who;
    assert_int_equal(nsga2_population(nsga2, &who), 8);
    assert_false(nsga2_advance(nsga2));
    assert_int_equal(watch.calls, 1);
    search_end(nsga2, &watch);
}

static bool three_genes_at_most(const struct path *path)
{
    int set = 0;
    for (int l = 0; l < path->n; l++)
        set += path->op[l] != 0;
    return set <= 3;
}

/* 274,461 of 4^40 paths are feasible: none is found at random, but offspring of one
 * that is known find others. */
static void a_large_space_is_searched_from_a_single_feasible_path(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged, .allowed = three_genes_at_most};
    const struct nsga2_settings settings = {10, 4, 0.02, 8};
    struct nsga2 *nsga2 = search(&watch, 40, 4, &settings);
    const struct path nothing_set = {.n = 40};
    assert_int_equal(nsga2_start(nsga2, &nothing_set, 1), 1);
    assert_int_equal(path_map_size(watch.seen), 1);
    while (nsga2_advance(nsga2))
        ;
    assert_int_equal(nsga2_generation(nsga2), 3);
    assert_int_equal(path_map_size(watch.seen), 1 + 3 * 10);
    search_end(nsga2, &watch);
}

/* At most three of forty genes. */
static bool set_a_few(struct rng *rng, struct path *path, void *context)
{
    (void)context;
    *path = (struct path){.n = 40};
    for (int i = 0; i < 3; i++)
        path->op[rng_below(rng, 40)] = (uint8_t)rng_below(rng, 4);
    return true;
}

/* The same space, with no path known but a way to make some. */
static void where_draws_find_nothing_paths_are_constructed(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged, .allowed = three_genes_at_most};
    const struct nsga2_settings settings = {10, 4, 0.02, 8};
    watch.construct = set_a_few;
    struct nsga2 *nsga2 = search(&watch, 40, 4, &settings);
    assert_int_equal(nsga2_start(nsga2, NULL, 0), 0);
    assert_int_equal(path_map_size(watch.seen), 10);
    while (nsga2_advance(nsga2))
        ;
    assert_int_equal(path_map_size(watch.seen), 4 * 10);
    assert_false(watch.saw_forbidden);
    search_end(nsga2, &watch);
}

static void one_single_path_is_a_space_too(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged};
    const struct nsga2_settings settings = {4, 5, 0.1, 10};
    struct nsga2 *nsga2 = search(&watch, 3, 1, &settings);
    nsga2_start(nsga2, NULL, 0);
    const struct individual *who;
    assert_int_equal(nsga2_population(nsga2, &who), 1);
    assert_false(nsga2_advance(nsga2));
    search_end(nsga2, &watch);
}

/* Every third path's evaluation goes wrong. */
static void broken_now_and_then(const struct path *path, double *objective)
{
    rugged(path, objective);
    if (scrambled(path) % 3 == 0)
        objective[0] = objective[1] = nan("");
}

static void what_is_not_a_number_is_worse_than_anything(void **state)
{
    (void)state;
    struct watch watch = {.objectives = broken_now_and_then};
    const struct nsga2_settings settings = {30, 10, 0.1, 17};
    struct nsga2 *nsga2 = search(&watch, 8, 4, &settings);
    nsga2_start(nsga2, NULL, 0);
    while (nsga2_advance(nsga2))
        ;
    const struct individual *who;
    const int *generation;
    int broken = 0;
    long n_evaluated = nsga2_evaluated(nsga2, &who, &generation);
    for (long i = 0; i < n_evaluated; i++)
        broken += isinf(who[i].objective[0]) != 0;
    assert_in_range(broken, 60, 140); /* of 300 */
    int n = nsga2_population(nsga2, &who);
    for (int i = 0; i < n; i++)
        assert_true(isfinite(who[i].objective[0]));
    search_end(nsga2, &watch);
}

static bool none_allowed(const struct path *path)
{
    (void)path;
    return false;
}

static int start_with_nothing_allowed(const void *argument)
{
    struct watch watch = {.objectives = rugged, .allowed = none_allowed};
    const struct nsga2_settings settings = {4, 5, 0.1, 16};
    struct nsga2 *nsga2 = search(&watch, 8, 4, &settings);
    (void)argument;
    return nsga2_start(nsga2, NULL, 0);
}

static void without_any_feasible_path_the_program_ends(void **state)
{
    (void)state;
    struct child child = child_run(start_with_nothing_allowed, NULL);
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "found no feasible path"));
}

/* The last op in as many leading layers as possible, the first op in as many trailing
 * ones: "leading ones, trailing zeros". On the front are the paths that are nothing
 * else: one for each length of the head. */
static void leading_and_trailing(const struct path *path, double *objective)
{
    int leading = 0, trailing = 0;
    while (leading < path->n && path->op[leading] == 2)
        leading++;
    while (trailing < path->n && path->op[path->n - 1 - trailing] == 0)
        trailing++;
    objective[0] = -leading;
    objective[1] = -trailing;
}

/* All 3^10 = 59,049 paths looked at one by one: how many does nothing dominate? */
enum { FRONT_LAYERS = 10 };

static int count_front_by_brute_force(bool on_front[FRONT_LAYERS + 1][FRONT_LAYERS + 1])
{
    int n_front = 0;
    memset(on_front, 0, sizeof(bool[FRONT_LAYERS + 1][FRONT_LAYERS + 1]));
    for (int i = 0; i < 59049; i++) {
        struct path path = {.n = FRONT_LAYERS};
        double objective[NSGA2_OBJECTIVES_MAX];
        for (int l = 0, rest = i; l < FRONT_LAYERS; l++, rest /= 3)
            path.op[l] = (uint8_t)(rest % 3);
        leading_and_trailing(&path, objective);
        on_front[(int)-objective[0]][(int)-objective[1]] = true;
    }
    for (int x = 0; x <= FRONT_LAYERS; x++)
        for (int y = 0; y <= FRONT_LAYERS; y++)
            for (int a = x; a <= FRONT_LAYERS; a++)
                for (int b = y; b <= FRONT_LAYERS; b++)
                    if ((a > x || b > y) && on_front[a][b])
                        on_front[x][y] = false;
    for (int x = 0; x <= FRONT_LAYERS; x++)
        for (int y = 0; y <= FRONT_LAYERS; y++)
            n_front += on_front[x][y];
    return n_front;
}

static void the_true_pareto_front_of_a_small_space_is_found(void **state)
{
    (void)state;
    static bool on_front[FRONT_LAYERS + 1][FRONT_LAYERS + 1];
    int n_front = count_front_by_brute_force(on_front);
    assert_int_equal(n_front, FRONT_LAYERS + 1);

    struct watch watch = {.objectives = leading_and_trailing};
    const struct nsga2_settings settings = {50, 60, 0.1, 11};
    struct nsga2 *nsga2 = search(&watch, FRONT_LAYERS, 3, &settings);
    nsga2_start(nsga2, NULL, 0);
    while (nsga2_advance(nsga2))
        ;
    const struct individual *who;
    int n = nsga2_population(nsga2, &who), found = 0;
    for (int i = 0; i < n; i++) {
        assert_true(who[i].front > 0 ||
                    on_front[(int)-who[i].objective[0]][(int)-who[i].objective[1]]);
        found += who[i].front == 0;
    }
    assert_int_equal(found, n_front); /* each point of the front has one path */
    search_end(nsga2, &watch);
}

/* ---- the same again ---- */

static void assert_same_state(const struct nsga2 *a, const struct nsga2 *b)
{
    const struct individual *who_a, *who_b;
    const int *when_a, *when_b;
    assert_int_equal(nsga2_generation(a), nsga2_generation(b));
    int n = nsga2_population(a, &who_a);
    assert_int_equal(nsga2_population(b, &who_b), n);
    for (int i = 0; i < n; i++) {
        assert_true(path_equal(&who_a[i].path, &who_b[i].path));
        assert_int_equal(who_a[i].front, who_b[i].front);
        assert_true(who_a[i].crowding == who_b[i].crowding);
        assert_true(who_a[i].objective[0] == who_b[i].objective[0]);
        assert_true(who_a[i].objective[1] == who_b[i].objective[1]);
    }
    long evaluated = nsga2_evaluated(a, &who_a, &when_a);
    assert_int_equal(nsga2_evaluated(b, &who_b, &when_b), evaluated);
    for (long i = 0; i < evaluated; i++) {
        assert_true(path_equal(&who_a[i].path, &who_b[i].path));
        assert_int_equal(when_a[i], when_b[i]);
    }
    assert_true(nsga2_rejected_infeasible(a) == nsga2_rejected_infeasible(b));
    assert_true(nsga2_rejected_duplicate(a) == nsga2_rejected_duplicate(b));
}

static void the_order_of_evaluation_does_not_matter(void **state)
{
    (void)state;
    struct watch watch = {.objectives = rugged, .allowed = even_first_half};
    struct watch reversed = watch;
    reversed.backwards = true;
    const struct nsga2_settings settings = {30, 12, 0.1, 12};
    struct nsga2 *a = search(&watch, 8, 4, &settings);
    struct nsga2 *b = search(&reversed, 8, 4, &settings);
    nsga2_start(a, NULL, 0);
    nsga2_start(b, NULL, 0);
    for (bool more = true; more;) {
        assert_same_state(a, b);
        more = nsga2_advance(a);
        assert_int_equal(nsga2_advance(b), more);
    }
    assert_int_equal(nsga2_generation(b), 11);
    search_end(a, &watch);
    search_end(b, &reversed);
}

static void another_seed_searches_elsewhere(void **state)
{
    (void)state;
    struct watch watch[2] = {{.objectives = rugged}, {.objectives = rugged}};
    struct nsga2 *nsga2[2];
    for (uint64_t i = 0; i < 2; i++) {
        const struct nsga2_settings settings = {30, 3, 0.1, 13 + i};
        nsga2[i] = search(&watch[i], 8, 4, &settings);
        nsga2_start(nsga2[i], NULL, 0);
    }
    int common = 0;
    for (int i = 0; i < 30; i++)
        common += path_map_find(watch[0].seen, path_map_at(watch[1].seen, i)) >= 0;
    assert_true(common < 5); /* of 65,536 paths */
    for (int i = 0; i < 2; i++)
        search_end(nsga2[i], &watch[i]);
}

/* A new search that takes over what the accessors of another give. */
static struct nsga2 *take_over(const struct nsga2 *from, struct watch *watch,
                               int layers, int ops,
                               const struct nsga2_settings *settings)
{
    const struct individual *population, *evaluated;
    const int *generation;
    int n = nsga2_population(from, &population);
    long n_evaluated = nsga2_evaluated(from, &evaluated, &generation);
    struct nsga2 *nsga2 = search(watch, layers, ops, settings);
    nsga2_restore(nsga2, nsga2_generation(from), population, n, evaluated, generation,
                  n_evaluated, nsga2_rejected_infeasible(from),
                  nsga2_rejected_duplicate(from));
    return nsga2;
}

/* Spaces that run for all generations, and that are exhausted within a batch (45 paths
 * in batches of 20) and at the end of one (in batches of 15). */
static void restored_at_any_generation_it_continues_bit_for_bit(void **state)
{
    (void)state;
    static const struct {
        int layers, ops, population, generations;
    } cases[] = {{8, 4, 25, 8}, {4, 3, 20, 9}, {4, 3, 15, 9}};
    for (int c = 0; c < 3; c++) {
        const struct nsga2_settings settings = {cases[c].population,
                                                cases[c].generations, 0.1, 14};
        for (int stop = 0; stop < settings.generations; stop++) {
            struct watch watch = {.objectives = rugged, .allowed = even_first_half};
            struct watch other = watch;
            struct nsga2 *whole =
                search(&watch, cases[c].layers, cases[c].ops, &settings);
            nsga2_start(whole, NULL, 0);
            while (nsga2_generation(whole) < stop && nsga2_advance(whole))
                ;
            struct nsga2 *resumed =
                take_over(whole, &other, cases[c].layers, cases[c].ops, &settings);
            assert_same_state(whole, resumed);
            bool more = true;
            while (more) {
                more = nsga2_advance(whole);
                assert_int_equal(nsga2_advance(resumed), more);
                assert_same_state(whole, resumed);
            }
            search_end(whole, &watch);
            search_end(resumed, &other);
        }
    }
}

/* Feasible: the first two genotypes, and one in the middle that differs from them in
 * all genes but the last few, so that no offspring, only a walk may find it. */
static bool two_and_a_far_one(const struct path *path)
{
    int set = 0;
    for (int l = 0; l < path->n - 1; l++)
        set += path->op[l];
    return set == 0 ||
           (set == path->n - 2 && path->op[0] == 0 && path->op[path->n - 1]);
}

/* In a space of 2^21 a walk of a million misses what is there every second time. When
 * it did, the search has ended; it must not go on because it was stopped and resumed.
 */
static void what_ended_unfinished_stays_ended_when_restored(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        const struct nsga2_settings settings = {3, 6, 0, seed};
        struct watch watch = {.objectives = rugged, .allowed = two_and_a_far_one};
        struct watch other = watch;
        struct nsga2 *whole = search(&watch, 21, 2, &settings);
        const struct path first = {.n = 21};
        nsga2_start(whole, &first, 1);
        while (nsga2_advance(whole))
            ;
        struct nsga2 *resumed = take_over(whole, &other, 21, 2, &settings);
        assert_false(nsga2_advance(resumed));
        assert_same_state(whole, resumed);
        search_end(whole, &watch);
        search_end(resumed, &other);
    }
}

/* ---- ZDT1 and ZDT2 ---- */

enum { VARIABLES = 6, DIGITS = 4, BASE = 8 };

/* Each variable in [0, 1] is four base-8 digits: steps of 1/4095. */
static double variable(const struct path *path, int i)
{
    int value = 0;
    for (int d = 0; d < DIGITS; d++)
        value = BASE * value + path->op[i * DIGITS + d];
    return value / 4095.0;
}

static double zdt_g(const struct path *path)
{
    double sum = 0;
    for (int i = 1; i < VARIABLES; i++)
        sum += variable(path, i);
    return 1 + 9 * sum / (VARIABLES - 1);
}

static void zdt1(const struct path *path, double *objective)
{
    double g = zdt_g(path);
    objective[0] = variable(path, 0);
    objective[1] = g * (1 - sqrt(objective[0] / g));
}

static void zdt2(const struct path *path, double *objective)
{
    double g = zdt_g(path);
    objective[0] = variable(path, 0);
    objective[1] = g * (1 - objective[0] / g * (objective[0] / g));
}

static double zdt_hypervolume(void (*objectives)(const struct path *, double *))
{
    struct watch watch = {.objectives = objectives};
    const struct nsga2_settings settings = {100, 250, 0.05, 15};
    struct nsga2 *nsga2 = search(&watch, VARIABLES * DIGITS, BASE, &settings);
    nsga2_start(nsga2, NULL, 0);
    while (nsga2_advance(nsga2))
        ;
    const struct individual *who;
    int n = nsga2_population(nsga2, &who);
    double points[100][2];
    const double reference[2] = {1, 1};
    for (int i = 0; i < n; i++)
        memcpy(points[i], who[i].objective, sizeof points[i]);
    double area = nsga2_hypervolume(points, n, reference);
    search_end(nsga2, &watch);
    return area;
}

/* The exact fronts, f2 = 1 - sqrt(f1) and f2 = 1 - f1^2, cover 2/3 and 1/3 of the unit
 * square; a hundred points on them about 0.01 less. */
static void zdt1_and_zdt2_come_close_to_their_known_area(void **state)
{
    (void)state;
    double one = zdt_hypervolume(zdt1), two = zdt_hypervolume(zdt2);
    print_message("# hypervolume at (1, 1): ZDT1 %.4f of 0.6667, ZDT2 %.4f of 0.3333\n",
                  one, two);
    assert_true(one > 0.64 && one < 2 / 3.0);
    assert_true(two > 0.30 && two < 1 / 3.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(domination_is_nowhere_worse_and_somewhere_better),
        cmocka_unit_test(fronts_are_what_is_left_undominated_layer_by_layer),
        cmocka_unit_test(crowding_is_the_mean_gap_between_the_neighbours),
        cmocka_unit_test(each_front_is_crowded_by_itself),
        cmocka_unit_test(fronts_of_one_or_two_are_infinitely_far_apart),
        cmocka_unit_test(an_objective_that_never_changes_adds_nothing),
        cmocka_unit_test(duplicates_are_each_others_neighbours),
        cmocka_unit_test(crowding_does_not_depend_on_the_order_of_the_input),
        cmocka_unit_test(an_infinite_objective_has_no_scale),
        cmocka_unit_test(hypervolume_is_the_area_of_the_staircase),
        cmocka_unit_test(the_population_is_sorted_with_every_tie_broken),
        cmocka_unit_test(n_generations_of_m_evaluate_n_times_m_paths_once_each),
        cmocka_unit_test(survivors_are_the_best_of_parents_and_offspring),
        cmocka_unit_test(
            the_first_population_takes_the_feasible_distinct_ones_in_order),
        cmocka_unit_test(no_more_than_a_population_is_taken_from_the_initial_paths),
        cmocka_unit_test(at_rate_0_exactly_one_gene_changes_at_rate_1_all_of_them),
        cmocka_unit_test(crossover_mixes_genes_of_both_parents),
        cmocka_unit_test(tournaments_prefer_the_better_of_two),
        cmocka_unit_test(a_small_space_is_exhausted_and_the_search_stops),
        cmocka_unit_test(a_space_smaller_than_the_population_is_taken_whole),
        cmocka_unit_test(a_large_space_is_searched_from_a_single_feasible_path),
        cmocka_unit_test(where_draws_find_nothing_paths_are_constructed),
        cmocka_unit_test(one_single_path_is_a_space_too),
        cmocka_unit_test(what_is_not_a_number_is_worse_than_anything),
        cmocka_unit_test(without_any_feasible_path_the_program_ends),
        cmocka_unit_test(the_true_pareto_front_of_a_small_space_is_found),
        cmocka_unit_test(the_order_of_evaluation_does_not_matter),
        cmocka_unit_test(another_seed_searches_elsewhere),
        cmocka_unit_test(restored_at_any_generation_it_continues_bit_for_bit),
        cmocka_unit_test(what_ended_unfinished_stays_ended_when_restored),
        cmocka_unit_test(zdt1_and_zdt2_come_close_to_their_known_area),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("nsga2", tests, NULL, NULL);
}
