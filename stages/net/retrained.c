/* retrained.c - see retrained.h. */
#include "net/retrained.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/memory.h"
#include "net/judge.h"
#include "net/paths_file.h"

enum { CHECK_IMAGES = 64 };

void retrained_save_network(const struct supernet *net, const struct path *path,
                            struct artifact *artifact)
{
    char text[PATH_TEXT_SIZE], drawing[PATH_DRAW_SIZE];
    struct cost cost = cost_of_path(&net->cost, path);
    space_save(artifact, &net->space);
    path_to_text(path, &net->space, text);
    path_draw(path, &net->space, drawing, sizeof(drawing));
    artifact_write_text(artifact, "network/architecture", text, "a token per layer");
    artifact_write_text(artifact, "network/drawing", drawing,
                        "the same as a picture of letters, one line per layer");
    paths_save(artifact, "network/path", path, 1, "the same as indices of space/ops");
    artifact_write_i64(artifact, "network/flops", cost.flops, "multiply-adds",
                       "cost of one image");
    artifact_write_i64(artifact, "network/params", cost.params, "parameters",
                       "weights, biases and BN's two per channel");
    artifact_describe(artifact, "network", "the network that is trained");
}

void retrained_load_path(struct artifact *artifact, const struct space *space,
                         struct path *path)
{
    struct path *list;
    space_check(artifact, space);
    size_t n = paths_load(artifact, "network/path", &list);
    if (n != 1)
        die("'%s': 'network/path' has %zu paths, expected 1", artifact_path(artifact),
            n);
    *path = list[0];
    free(list);
}

/* The mean loss on the first n training images. */
static double check_loss(const struct supernet *net, const struct path *path,
                         const struct dataset *dataset, int n)
{
    struct judgement judgement = {0};
    struct judge *judge = judge_create(net, path, dataset, n);
    judge_advance(judge, SPLIT_TRAIN, &judgement);
    judge_free(judge);
    return judgement_loss(&judgement);
}

void retrained_save_check(const struct supernet *net, const struct path *path,
                          const struct dataset *dataset, struct artifact *artifact)
{
    int all = dataset_size(dataset, SPLIT_TRAIN);
    int images = all < CHECK_IMAGES ? all : CHECK_IMAGES;
    double loss = check_loss(net, path, dataset, images);
    artifact_write_f64(artifact, "check/loss", loss, "nats",
                       "mean loss of the best weights on the first training images, "
                       "without augmentation, by running statistics");
    artifact_write_i64(artifact, "check/images", images, "images", "how many of them");
    artifact_describe(artifact, "check",
                      "whoever loads the weights repeats this and compares the loss");
}

/* As many images as were judged when the check was saved. Where that is more than there
 * are to train on, the validation images were trained on, too. */
static int check_images(struct dataset *dataset, struct artifact *artifact)
{
    int64_t images = artifact_read_i64(artifact, "check/images");
    if (images > dataset_size(dataset, SPLIT_TRAIN))
        dataset_train_on_all(dataset);
    int all = dataset_size(dataset, SPLIT_TRAIN);
    if (images < 1 || images > all)
        die("'%s' was checked on its first %lld training images, expected 1 to the %d "
            "that there are: other data",
            artifact_path(artifact), (long long)images, all);
    return (int)images;
}

void retrained_load(struct supernet *net, const struct path *path,
                    struct dataset *dataset, bool last, struct artifact *artifact)
{
    supernet_load_under(net, artifact, "best");
    double expected = artifact_read_f64(artifact, "check/loss");
    double found = check_loss(net, path, dataset, check_images(dataset, artifact));
    if (!(fabs(found - expected) <= 1e-3 * fmax(1, fabs(expected))))
        die("'%s': its best weights have loss %g on the first training images, "
            "expected %g as when they were saved: other data, or a broken kernel",
            artifact_path(artifact), found, expected);
    if (last)
        supernet_load_under(net, artifact,
                            artifact_has(artifact, "average/weights") ? "average"
                                                                      : "last");
}
