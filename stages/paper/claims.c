#include "paper/claims.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "paper/binomial.h"
#include "paper/counts.h"
#include "paper/evaluation.h"
#include "paper/provenance.h"
#include "paper/ranking.h"
#include "paper/table.h"

static void say(struct claims *claims, bool limit, const char *format, ...)
    PRINTF_LIKE(3, 4);
static void say(struct claims *claims, bool limit, const char *format, ...)
{
    struct claim claim = {.limit = limit};
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(&claim.text, format, arguments) < 0)
        die("no memory for a report");
    va_end(arguments);
    claims->claim =
        memory_resized(claims->claim, (size_t)claims->n + 1, sizeof(claims->claim[0]));
    claims->claim[claims->n++] = claim;
}

/* "91.20 % (90.63 to 91.74)" */
static char *percent(double share, double n)
{
    double low, high;
    binomial_interval(share, n, &low, &high);
    if (isnan(low))
        return memory_format("%.2f %%", 100 * share);
    return memory_format("%.2f %% (%.2f to %.2f)", 100 * share, 100 * low, 100 * high);
}

static void say_found(struct claims *claims, struct sources *sources)
{
    struct found found;
    if (!found_read(sources, "search", &found)) {
        say(claims, true, "No architecture has been searched yet (make search).");
        return;
    }
    char *accuracy = percent(found.accuracy, found.images);
    char *judged = count_text(found.judged);
    char *images = isnan(found.images) ? memory_text_copy("the")
                                       : count_text(llround(found.images));
    say(claims, false,
        "Of %s paths that the search judged, the best has %s of %s validation "
        "images "
        "right by the supernet's weights, with %.3f million multiply-adds and %.3f "
        "million parameters. The best of many noisy numbers flatters.",
        judged, accuracy, images, (double)found.flops / 1e6,
        (double)found.params / 1e6);
    free(judged);
    free(images);
    free(accuracy);
}

/* As if of different images: wider than for the same ones. */
static void say_difference(struct claims *claims, const struct evaluation *found,
                           const struct evaluation *random)
{
    bool less = found->top1 < random->top1;
    const struct evaluation *better = less ? random : found;
    const struct evaluation *other = less ? found : random;
    double low, high;
    binomial_difference(better->top1, better->images, other->top1, other->images, &low,
                        &high);
    bool apart = low > 0;
    say(claims, !apart,
        "The found network has %.2f points %s of the test images right than the best "
        "of "
        "random search (95 %% interval of how much %s: %.2f to %.2f)%s.",
        100 * (better->top1 - other->top1), less ? "less" : "more",
        less ? "less" : "more", 100 * low, 100 * high,
        apart ? "" : ": the test images do not tell the two apart");
}

static void say_tested(struct claims *claims, struct sources *sources)
{
    struct evaluation found, random;
    if (!evaluation_read(sources, "found", &found)) {
        say(claims, true,
            "How accurate the found network is by itself, trained from scratch, is not "
            "known: nothing was tested on test images (make evaluate NET=found).");
        return;
    }
    char *accuracy = percent(found.top1, found.images);
    say(claims, false,
        "Trained from scratch, the found network has %s of %.0f test images right.",
        accuracy, found.images);
    free(accuracy);
    if (evaluation_read(sources, "random", &random))
        say_difference(claims, &found, &random);
}

/* "0.512 (0.401 to 0.603)" */
static char *correlation_text(const struct correlation *c)
{
    if (isnan(c->low))
        return memory_format("%.3f", c->value);
    return memory_format("%.3f (%.3f to %.3f)", c->value, c->low, c->high);
}

static void say_ranking(struct claims *claims, struct sources *sources)
{
    struct ranking *ranking = ranking_read(sources);
    if (!ranking) {
        say(claims, true,
            "How well this supernet ranks paths was not measured (make rankcorr).");
        return;
    }
    int all = ranking_stratum(ranking, "all");
    static const char *const supernets[] = {"uniform", "greedy"};
    for (size_t i = 0; i < sizeof(supernets) / sizeof(supernets[0]); i++) {
        int s = ranking_supernet(ranking, supernets[i]);
        if (s < 0 || all < 0 || ranking->n_images[s] == 0)
            continue;
        struct correlation c =
            ranking_correlation(ranking, s, "kendall/by_loss", all, 0);
        if (isnan(c.value)) {
            say(claims, true,
                "How well the %s supernet ranks paths by their loss on %d validation "
                "images is not known: the paths that were judged are too few, or too "
                "much alike.",
                supernets[i], ranking->images[s][0]);
            continue;
        }
        char *tau = correlation_text(&c);
        say(claims, false,
            "Ranking random paths by their loss on %d validation images agrees with "
            "their accuracy on all of them with a Kendall τ-b of %s on the %s "
            "supernet.",
            ranking->images[s][0], tau, supernets[i]);
        free(tau);
    }
    ranking_free(ranking);
}

static void say_cost(struct claims *claims, struct sources *sources)
{
    struct training_cost cost, uniform;
    double ratio = training_cost_ratio(sources);
    if (!training_cost(sources, "greedy", &cost) || isnan(ratio))
        return;
    double corrected = training_cost_corrected(&cost, ratio);
    char *trained = count_text(cost.optimization),
         *scored = count_text(cost.evaluation);
    char *as_much = count_text(llround(corrected));
    say(claims, false,
        "Greedy training took %s images through training and %s through scoring; at a "
        "measured ratio of %.2f that costs as much as training on %s images.",
        trained, scored, ratio, as_much);
    free(trained);
    free(scored);
    free(as_much);
    if (!training_cost(sources, "uniform", &uniform))
        return;
    char *all = count_text(uniform.optimization);
    say(claims, false,
        "Uniform training of the whole budget took %s images: greedy cost %.0f %% of "
        "it.",
        all, 100 * corrected / (double)uniform.optimization);
    free(all);
}

static void say_limits(struct claims *claims, struct run *run)
{
    size_t n;
    char **name = provenance_artifacts(run, &n), *seed = NULL;
    bool several = false;
    for (size_t i = 0; i < n; i++) {
        char *mismatch = provenance_mismatch(run, name[i]);
        if (mismatch)
            say(claims, true, "%s Numbers of the two do not belong together.",
                mismatch);
        free(mismatch);
        char *other = artifact_attribute(run_artifact(run, name[i]), "seed");
        several |= seed && other && strcmp(seed, other) != 0;
        free(seed ? other : NULL);
        seed = seed ? seed : other;
        free(name[i]);
    }
    free(name);
    char *elsewhere = provenance_unchecked(run);
    if (elsewhere)
        say(claims, true,
            "Inputs elsewhere, not checked: %s. Whether they are still what this was "
            "made from is not known.",
            elsewhere);
    free(elsewhere);
    if (seed && !several)
        say(claims, true,
            "Everything here is of one seed (%s). Intervals are of the images that "
            "judged, not of training: what another seed would give is not known.",
            seed);
    free(seed);
    char *dataset = provenance_dataset(run);
    if (dataset)
        say(claims, true,
            "The images are those of %s; what holds for others is not known from them.",
            dataset);
    free(dataset);
}

void claims_collect(struct claims *claims, struct run *run)
{
    *claims = (struct claims){0};
    struct sources sources;
    sources_init(&sources, run);
    say_found(claims, &sources);
    say_tested(claims, &sources);
    say_ranking(claims, &sources);
    say_cost(claims, &sources);
    say_limits(claims, run);
    sources_release(&sources);
}

void claims_release(struct claims *claims)
{
    for (int i = 0; i < claims->n; i++)
        free(claims->claim[i].text);
    free(claims->claim);
    *claims = (struct claims){0};
}
