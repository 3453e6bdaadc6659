/* train.c - see train.h. */
#include "net/train.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"
#include "net/optimizer.h"

struct train_step train_step_at(const struct supernet_config *config, long step)
{
    return (struct train_step){.step = step,
                               .rate = learning_rate_at(config, step),
                               .momentum = config->momentum,
                               .weight_decay = config->weight_decay,
                               .label_smoothing = config->label_smoothing,
                               .bn_momentum = config->bn_momentum,
                               .section = "supernet"};
}

static _Noreturn void die_not_finite(const struct supernet *net,
                                     const struct path *path,
                                     const struct train_step *step, double loss,
                                     const struct network_tensors *tensors)
{
    char text[PATH_TEXT_SIZE], place[2 * LAYOUT_NAME_SIZE];
    path_to_text(path, &net->space, text);
    if (!network_first_not_finite(net, tensors, place, sizeof(place)))
        snprintf(place, sizeof(place), "classifier");
    die("step %ld: the loss is %g, expected a finite number; first not finite in '%s'; "
        "path '%s'; learning rate %g; lower '%s.learning_rate' or raise '%s.lr_ramp'",
        step->step, loss, place, text, step->rate, step->section, step->section);
}

struct train_result train_gradients(struct supernet *net, const struct path *path,
                                    const struct train_step *step, int n,
                                    const float *images, const int *labels,
                                    struct workspace *workspace)
{
    size_t mark = arena_mark(workspace->tensors);
    struct network_tensors tensors;
    network_take(net, path, n, workspace->tensors, &tensors);
    tensors.head.dropout = step->dropout;
    network_forward(net, n, images, labels, step->label_smoothing, &tensors,
                    workspace->scratch);
    struct train_result result = {0};
    for (int i = 0; i < n; i++) {
        result.loss += tensors.head.loss[i] / n;
        result.accuracy += (double)tensors.head.hit[i] / n;
    }
    if (!isfinite(result.loss))
        die_not_finite(net, path, step, result.loss, &tensors);
    network_backward(net, path, n, images, labels, step->label_smoothing, &tensors,
                     workspace);
    network_update_statistics(net, n, step->bn_momentum, &tensors);
    arena_release(workspace->tensors, mark);
    return result;
}

struct train_result train_path(struct supernet *net, const struct path *path,
                               const struct train_step *step, int n,
                               const float *images, const int *labels,
                               struct workspace *workspace)
{
    struct train_result result =
        train_gradients(net, path, step, n, images, labels, workspace);
    sgd_step(net, path, workspace->gradients, step->rate, step->momentum,
             step->weight_decay);
    return result;
}

/* What the path shares with the others is added, its own choices are theirs alone. */
static void add_gradients(const struct supernet *net, const struct path *path,
                          const float *gradients, float *sums)
{
    struct path_range range[SPACE_LAYERS_MAX + 1];
    int n = supernet_path_ranges(net, path, range, NULL);
    for (int j = 0; j < n; j++) {
        const float *g = gradients + range[j].gradient;
        float *sum = sums + range[j].begin;
        size_t floats = range[j].end - range[j].begin;
#pragma omp simd
        for (size_t i = 0; i < floats; i++)
            sum[i] += g[i];
    }
}

struct train_result train_fairly(struct supernet *net, const struct path *path,
                                 const struct train_step *step, int n,
                                 const float *images, const int *labels,
                                 struct workspace *workspace, float *sums)
{
    int paths = net->space.n_ops;
    struct train_result mean = {0};
    memset(sums, 0, net->weight_layout.floats * sizeof(*sums));
    for (int p = 0; p < paths; p++) {
        struct train_result result =
            train_gradients(net, &path[p], step, n, images, labels, workspace);
        add_gradients(net, &path[p], workspace->gradients, sums);
        mean.loss += result.loss / paths;
        mean.accuracy += result.accuracy / paths;
    }
    sgd_step_all(net, sums, step->rate, step->momentum, step->weight_decay);
    return mean;
}
