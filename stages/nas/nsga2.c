#include "nas/nsga2.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/rng.h"

/*
 * How a new path is looked for: DRAWS_MAX random draws, then WALK_MAX neighbours in the
 * order of genotypes. A space of up to WALK_MAX paths is thereby exhausted for certain;
 * in a larger one that many failures mean that there is nothing left worth waiting for.
 */
enum { DRAWS_MAX = 100000, CONSTRUCTIONS_MAX = 1000, WALK_MAX = 1000000 };

struct nsga2 {
    struct nsga2_problem problem;
    struct nsga2_settings settings;
    int generation;
    bool exhausted;
    int n_population;
    struct individual *population; /* room for parents and offspring */
    struct path_map *seen;         /* path i of the map is evaluated[i] */
    long n_evaluated, evaluated_capacity;
    struct individual *evaluated;
    int *evaluated_generation;
    int64_t rejected_infeasible, rejected_duplicate;
};

bool nsga2_dominates(const double *a, const double *b, int n_objectives)
{
    bool better = false;
    for (int m = 0; m < n_objectives; m++) {
        if (a[m] > b[m])
            return false;
        better = better || a[m] < b[m];
    }
    return better;
}

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

/* Sorting by one objective needs all the others and the genotype for ties: the standard
 * library's sort is not stable, and the order must not depend on what came in. */
struct order {
    const struct individual *individual;
    int first_objective, n_objectives, index;
};

static int by_objectives(const void *left, const void *right)
{
    const struct order *a = left, *b = right;
    for (int i = 0; i < a->n_objectives; i++) {
        int m = (a->first_objective + i) % a->n_objectives;
        int order = compare(a->individual->objective[m], b->individual->objective[m]);
        if (order != 0)
            return order;
    }
    return path_compare(&a->individual->path, &b->individual->path);
}

static void sort_by_objective(struct order *order, int n, int objective)
{
    for (int i = 0; i < n; i++)
        order[i].first_objective = objective;
    qsort(order, (size_t)n, sizeof *order, by_objectives);
}

static struct order *order_create(const struct individual *individuals, int n,
                                  int n_objectives)
{
    struct order *order = memory_zeroed((size_t)n + 1, sizeof *order);
    for (int i = 0; i < n; i++)
        order[i] = (struct order){&individuals[i], 0, n_objectives, i};
    return order;
}

/*
 * The fronts of Deb's fast non-dominated sort, found with less memory: in the order of
 * the objectives nobody is dominated by a later one, so each goes to the first front
 * that holds no dominator (Zhang et al., "An efficient approach to nondominated
 * sorting", 2015). The members of a front are chained, last come first.
 */
int nsga2_sort_fronts(struct individual *individuals, int n, int n_objectives)
{
    struct order *order = order_create(individuals, n, n_objectives);
    int *last_of_front = memory_zeroed((size_t)n + 1, sizeof *last_of_front);
    int *previous = memory_zeroed((size_t)n + 1, sizeof *previous);
    int n_fronts = 0;
    sort_by_objective(order, n, 0);
    for (int i = 0; i < n; i++) {
        struct individual *one = &individuals[order[i].index];
        int front = 0;
        for (; front < n_fronts; front++) {
            int other = last_of_front[front];
            while (other >= 0 && !nsga2_dominates(individuals[other].objective,
                                                  one->objective, n_objectives))
                other = previous[other];
            if (other < 0)
                break;
        }
        if (front == n_fronts)
            last_of_front[n_fronts++] = -1;
        previous[order[i].index] = last_of_front[front];
        last_of_front[front] = order[i].index;
        one->front = front;
    }
    free(order);
    free(last_of_front);
    free(previous);
    return n_fronts;
}

/* Each member's crowding is the mean over objectives of the distance between its two
 * neighbours, as a share of the front's range. */
static void crowd_front(struct individual *individuals, struct order *member, int n,
                        int n_objectives)
{
    for (int i = 0; i < n; i++)
        individuals[member[i].index].crowding = n <= 2 ? HUGE_VAL : 0;
    for (int m = 0; m < n_objectives && n > 2; m++) {
        sort_by_objective(member, n, m);
        double low = member[0].individual->objective[m];
        double range = member[n - 1].individual->objective[m] - low;
        if (!(range > 0 && range < HUGE_VAL))
            continue; /* constant, or without a scale: its ends are nobody's merit */
        individuals[member[0].index].crowding = HUGE_VAL;
        individuals[member[n - 1].index].crowding = HUGE_VAL;
        for (int i = 1; i < n - 1; i++) {
            double gap = member[i + 1].individual->objective[m] -
                         member[i - 1].individual->objective[m];
            individuals[member[i].index].crowding += gap / range / n_objectives;
        }
    }
}

void nsga2_crowding(struct individual *individuals, int n, int n_objectives)
{
    struct order *order = order_create(individuals, n, n_objectives);
    struct order *member = memory_zeroed((size_t)n + 1, sizeof *member);
    for (int front = 0, left = n; left > 0; front++) {
        int size = 0;
        for (int i = 0; i < n; i++)
            if (individuals[i].front == front)
                member[size++] = order[i];
        BUG_IF(size == 0); /* fronts are numbered without gaps */
        crowd_front(individuals, member, size, n_objectives);
        left -= size;
    }
    free(order);
    free(member);
}

/* (front, crowding descending, objectives, genotype); the same order that tournaments
 * are decided by. */
static int by_fitness(const void *left, const void *right)
{
    const struct order *a = left, *b = right;
    if (a->individual->front != b->individual->front)
        return a->individual->front - b->individual->front;
    int order = compare(b->individual->crowding, a->individual->crowding);
    return order != 0 ? order : by_objectives(left, right);
}

static void sort_by_fitness(struct individual *individuals, int n, int n_objectives)
{
    struct order *order = order_create(individuals, n, n_objectives);
    struct individual *sorted = memory_zeroed((size_t)n + 1, sizeof *sorted);
    qsort(order, (size_t)n, sizeof *order, by_fitness);
    for (int i = 0; i < n; i++)
        sorted[i] = *order[i].individual;
    memcpy(individuals, sorted, (size_t)n * sizeof *sorted);
    free(order);
    free(sorted);
}

struct nsga2 *nsga2_create(const struct nsga2_problem *problem,
                           const struct nsga2_settings *settings)
{
    BUG_IF(settings->population < 1 || settings->generations < 1);
    BUG_IF(problem->n_objectives < 1 || problem->n_objectives > NSGA2_OBJECTIVES_MAX);
    struct nsga2 *nsga2 = memory_zeroed(1, sizeof *nsga2);
    nsga2->problem = *problem;
    nsga2->settings = *settings;
    nsga2->population =
        memory_zeroed(2 * (size_t)settings->population, sizeof *nsga2->population);
    nsga2->seen = path_map_create();
    return nsga2;
}

void nsga2_free(struct nsga2 *nsga2)
{
    if (nsga2 == NULL)
        return;
    path_map_free(nsga2->seen);
    free(nsga2->population);
    free(nsga2->evaluated);
    free(nsga2->evaluated_generation);
    free(nsga2);
}

static bool feasible(const struct nsga2 *nsga2, const struct path *path)
{
    const struct nsga2_problem *problem = &nsga2->problem;
    return problem->feasible == NULL || problem->feasible(path, problem->context);
}

/* A batch of paths that will be evaluated together; each is marked as seen at once. */
struct batch {
    struct path *path;
    int n;
};

static bool add_if_new(struct nsga2 *nsga2, struct batch *batch,
                       const struct path *path)
{
    if (path_map_find(nsga2->seen, path) >= 0 || !feasible(nsga2, path))
        return false;
    path_map_insert(nsga2->seen, path);
    batch->path[batch->n++] = *path;
    return true;
}

/* As above for a path that was drawn: the counters say why it was thrown away. */
static bool add_drawn(struct nsga2 *nsga2, struct batch *batch, const struct path *path)
{
    if (add_if_new(nsga2, batch, path))
        return true;
    if (path_map_find(nsga2->seen, path) >= 0)
        nsga2->rejected_duplicate++;
    else
        nsga2->rejected_infeasible++;
    return false;
}

static void draw_random(struct nsga2 *nsga2, struct rng *rng, struct path *path)
{
    const struct space *space = nsga2->problem.space;
    *path = (struct path){.n = (uint8_t)space->n_layers};
    for (int l = 0; l < space->n_layers; l++)
        path->op[l] = (uint8_t)rng_below(rng, (uint32_t)space->n_ops);
}

/* The better of two at random. The population is sorted: the better one is earlier. */
static const struct path *tournament(const struct nsga2 *nsga2, struct rng *rng)
{
    uint32_t a = rng_below(rng, (uint32_t)nsga2->n_population);
    uint32_t b = rng_below(rng, (uint32_t)nsga2->n_population);
    return &nsga2->population[a < b ? a : b].path;
}

static void mutate_gene(uint8_t *gene, int n_ops, struct rng *rng)
{
    uint32_t other = rng_below(rng, (uint32_t)n_ops - 1);
    *gene = (uint8_t)(other < *gene ? other : other + 1);
}

static void mutate(const struct nsga2 *nsga2, struct rng *rng, struct path *path)
{
    int n_ops = nsga2->problem.space->n_ops, changed = 0;
    if (n_ops < 2)
        return;
    for (int l = 0; l < path->n; l++) {
        if (rng_uniform(rng) < nsga2->settings.mutation) {
            mutate_gene(&path->op[l], n_ops, rng);
            changed++;
        }
    }
    if (changed == 0)
        mutate_gene(&path->op[rng_below(rng, path->n)], n_ops, rng);
}

static void draw_offspring(struct nsga2 *nsga2, struct rng *rng, struct path *path)
{
    const struct path *mother = tournament(nsga2, rng);
    const struct path *father = tournament(nsga2, rng);
    *path = *mother;
    for (int l = 0; l < path->n; l++)
        if (rng_below(rng, 2) == 1)
            path->op[l] = father->op[l];
    mutate(nsga2, rng, path);
}

/* The next genotype in lexicographic order; after the last comes the first. */
static void step_genotype(struct path *path, int n_ops)
{
    for (int l = path->n - 1; l >= 0; l--) {
        if (++path->op[l] < n_ops)
            return;
        path->op[l] = 0;
    }
}

/* Whether a walk that finds nothing proves that there is nothing. */
static bool walk_sees_all(const struct nsga2 *nsga2)
{
    return space_size(nsga2->problem.space) <= WALK_MAX;
}

static bool add_by_walking(struct nsga2 *nsga2, struct rng *rng, struct batch *batch)
{
    const struct space *space = nsga2->problem.space;
    double size = space_size(space);
    struct path path;
    draw_random(nsga2, rng, &path);
    for (int i = 0; i < WALK_MAX && i < size; i++) {
        if (add_if_new(nsga2, batch, &path))
            return true;
        step_genotype(&path, space->n_ops);
    }
    return false;
}

/* Where feasible paths are too rare to be met with. */
static bool add_by_construction(struct nsga2 *nsga2, struct rng *rng,
                                struct batch *batch)
{
    const struct nsga2_problem *problem = &nsga2->problem;
    struct path path;
    for (int i = 0; problem->construct && i < CONSTRUCTIONS_MAX; i++) {
        if (!problem->construct(rng, &path, problem->context))
            return false;
        if (add_drawn(nsga2, batch, &path))
            return true;
    }
    return false;
}

/* Fills the batch with new feasible paths; fewer when the space has no more. */
static void fill(struct nsga2 *nsga2, struct rng *rng, struct batch *batch,
                 void (*draw)(struct nsga2 *, struct rng *, struct path *))
{
    while (batch->n < nsga2->settings.population && !nsga2->exhausted) {
        struct path path;
        int draws = 0;
        do
            draw(nsga2, rng, &path);
        while (!add_drawn(nsga2, batch, &path) && ++draws < DRAWS_MAX);
        if (draws == DRAWS_MAX)
            nsga2->exhausted = !add_by_construction(nsga2, rng, batch) &&
                               !add_by_walking(nsga2, rng, batch);
    }
}

static void append_evaluated(struct nsga2 *nsga2, const struct individual *individual,
                             int generation)
{
    if (nsga2->n_evaluated == nsga2->evaluated_capacity) {
        nsga2->evaluated_capacity = 2 * nsga2->evaluated_capacity + 64;
        size_t capacity = (size_t)nsga2->evaluated_capacity;
        nsga2->evaluated =
            memory_resized(nsga2->evaluated, capacity, sizeof *nsga2->evaluated);
        nsga2->evaluated_generation = memory_resized(
            nsga2->evaluated_generation, capacity, sizeof *nsga2->evaluated_generation);
    }
    nsga2->evaluated[nsga2->n_evaluated] = *individual;
    nsga2->evaluated_generation[nsga2->n_evaluated++] = generation;
}

/* Evaluates the batch; its individuals join the population. */
static void evaluate(struct nsga2 *nsga2, const struct batch *batch)
{
    const struct nsga2_problem *problem = &nsga2->problem;
    double(*objective)[NSGA2_OBJECTIVES_MAX] =
        memory_zeroed((size_t)batch->n + 1, sizeof *objective);
    problem->evaluate(batch->path, batch->n, objective, problem->context);
    for (int i = 0; i < batch->n; i++) {
        struct individual *one = &nsga2->population[nsga2->n_population++];
        *one = (struct individual){.path = batch->path[i]};
        for (int m = 0; m < problem->n_objectives; m++)
            one->objective[m] = isnan(objective[i][m]) ? HUGE_VAL : objective[i][m];
        append_evaluated(nsga2, one, nsga2->generation);
    }
    free(objective);
}

static void select_survivors(struct nsga2 *nsga2)
{
    int n_objectives = nsga2->problem.n_objectives;
    nsga2_sort_fronts(nsga2->population, nsga2->n_population, n_objectives);
    nsga2_crowding(nsga2->population, nsga2->n_population, n_objectives);
    sort_by_fitness(nsga2->population, nsga2->n_population, n_objectives);
    if (nsga2->n_population > nsga2->settings.population)
        nsga2->n_population = nsga2->settings.population;
}

static struct rng generation_stream(const struct nsga2 *nsga2)
{
    return rng_stream(nsga2->settings.seed, RNG_SEARCH, (uint32_t)nsga2->generation, 0);
}

/* Whether a generation that evaluated n paths leaves nothing to go on for. At random
 * little is found where little is feasible: in a large space a first population that is
 * not full says nothing of its offspring. */
static bool was_the_last(const struct nsga2 *nsga2, int generation, long n)
{
    return n < nsga2->settings.population && (generation > 0 || walk_sees_all(nsga2));
}

static struct batch batch_create(const struct nsga2 *nsga2)
{
    size_t capacity = (size_t)nsga2->settings.population;
    return (struct batch){.path = memory_zeroed(capacity, sizeof(struct path))};
}

int nsga2_start(struct nsga2 *nsga2, const struct path *initial, int n_initial)
{
    BUG_IF(nsga2->n_evaluated > 0);
    struct batch batch = batch_create(nsga2);
    struct rng rng = generation_stream(nsga2);
    for (int i = 0; i < n_initial && batch.n < nsga2->settings.population; i++) {
        BUG_IF(initial[i].n != nsga2->problem.space->n_layers);
        add_if_new(nsga2, &batch, &initial[i]);
    }
    int from_initial = batch.n;
    fill(nsga2, &rng, &batch, draw_random);
    if (batch.n == 0)
        die("found no feasible path for the first population, expected at least one in "
            "%d draws",
            DRAWS_MAX);
    nsga2->exhausted = was_the_last(nsga2, 0, batch.n);
    evaluate(nsga2, &batch);
    select_survivors(nsga2);
    free(batch.path);
    return from_initial;
}

bool nsga2_advance(struct nsga2 *nsga2)
{
    BUG_IF(nsga2->n_population == 0);
    if (nsga2->exhausted || nsga2->generation + 1 >= nsga2->settings.generations)
        return false;
    const struct nsga2 before = *nsga2;
    nsga2->generation++;
    struct batch batch = batch_create(nsga2);
    struct rng rng = generation_stream(nsga2);
    fill(nsga2, &rng, &batch, draw_offspring);
    bool bred = batch.n > 0;
    if (bred) {
        evaluate(nsga2, &batch);
        select_survivors(nsga2);
    } else { /* as if it had never been tried, so that a resumed search ends the same */
        *nsga2 = before;
        nsga2->exhausted = true;
    }
    free(batch.path);
    return bred;
}

int nsga2_generation(const struct nsga2 *nsga2)
{
    return nsga2->generation;
}

int nsga2_population(const struct nsga2 *nsga2, const struct individual **individuals)
{
    *individuals = nsga2->population;
    return nsga2->n_population;
}

long nsga2_evaluated(const struct nsga2 *nsga2, const struct individual **individuals,
                     const int **generation)
{
    *individuals = nsga2->evaluated;
    *generation = nsga2->evaluated_generation;
    return nsga2->n_evaluated;
}

int64_t nsga2_rejected_infeasible(const struct nsga2 *nsga2)
{
    return nsga2->rejected_infeasible;
}

int64_t nsga2_rejected_duplicate(const struct nsga2 *nsga2)
{
    return nsga2->rejected_duplicate;
}

void nsga2_restore(struct nsga2 *nsga2, int generation,
                   const struct individual *population, int n,
                   const struct individual *evaluated, const int *evaluated_generation,
                   long n_evaluated, int64_t rejected_infeasible,
                   int64_t rejected_duplicate)
{
    BUG_IF(nsga2->n_evaluated > 0 || n < 1 || n > nsga2->settings.population);
    nsga2->generation = generation;
    nsga2->n_population = n;
    memcpy(nsga2->population, population, (size_t)n * sizeof *population);
    long latest = 0;
    for (long i = 0; i < n_evaluated; i++) {
        append_evaluated(nsga2, &evaluated[i], evaluated_generation[i]);
        path_map_insert(nsga2->seen, &evaluated[i].path);
        latest += evaluated_generation[i] == generation;
    }
    nsga2->exhausted = was_the_last(nsga2, generation, latest);
    BUG_IF(path_map_size(nsga2->seen) != n_evaluated);
    nsga2->rejected_infeasible = rejected_infeasible;
    nsga2->rejected_duplicate = rejected_duplicate;
}

static int by_x_then_y(const void *left, const void *right)
{
    const double *a = *(const double(*)[2])left, *b = *(const double(*)[2])right;
    int order = compare(a[0], b[0]);
    return order != 0 ? order : compare(a[1], b[1]);
}

/* From left to right, each point that is lower than all before adds a strip below the
 * last height. */
double nsga2_hypervolume(const double (*points)[2], int n, const double reference[2])
{
    double(*sorted)[2] = memory_zeroed((size_t)n + 1, sizeof *sorted);
    for (int i = 0; i < n; i++)
        memcpy(sorted[i], points[i], sizeof sorted[i]);
    qsort(sorted, (size_t)n, sizeof *sorted, by_x_then_y);
    double area = 0, height = reference[1];
    for (int i = 0; i < n && sorted[i][0] < reference[0]; i++) {
        if (sorted[i][1] < height) {
            area += (reference[0] - sorted[i][0]) * (height - sorted[i][1]);
            height = sorted[i][1];
        }
    }
    free(sorted);
    return area;
}
