/*
 * nets.h - tiny networks, batches and datasets for the tests of net/.
 *
 * Weights that start at 0 or 1 (BN, biases) are drawn too, so that no gradient vanishes
 * by symmetry and no mistake hides behind a 1.
 */
#ifndef UNIT_NETS_H
#define UNIT_NETS_H

#include "io/artifact.h"
#include "net/network.h"
#include "unit/spaces.h"
#include "unit/tensors.h"

/* |found - expected| <= within, in double (cmocka's own is in float); NaN fails. */
#define assert_near(found, expected, within)                                           \
    do {                                                                               \
        const double found_ = (found), expected_ = (expected);                         \
        if (!(fabs(found_ - expected_) <= (within)))                                   \
            fail_msg("%s is %.12g, expected %.12g", #found, found_, expected_);        \
    } while (0)

/* Four layers, odd sizes: 11 x 9 -> 6 x 5 -> 3 x 3. */
static inline struct space_config tiny_config(const char *choices)
{
    struct space_config config = {
        .input = {11, 9, 3},
        .classes = 4,
        .activation = "relu",
        .stem = {.channels = 6, .kernel = 3, .stride = 2, .activation = ""},
        .n_stages = 2,
        .stages = {{10, 2, 2}, {18, 2, 1}},
        .squeeze_excite = {.ratio = 0.25,
                           .of = "expanded",
                           .activation = "hswish",
                           .gate = "hsigmoid"},
        .head = {.channels = 20, .activation = "", .bias = true},
    };
    choose(&config, choices);
    return config;
}

static inline void draw_array(const struct layout_array *a, float *values, double low,
                              double high)
{
    for (size_t r = 0; r < a->rows; r++)
        for (size_t c = 0; c < a->cols; c++)
            values[a->offset + r * a->stride + c] = (float)drawn(low, high);
}

static inline struct supernet *drawn_net(const struct space_config *config)
{
    struct supernet *net = supernet_create(config, 7);
    for (int i = 0; i < net->weight_layout.n; i++) {
        const struct layout_array *a = &net->weight_layout.array[i];
        if (a->init == INIT_ONE)
            draw_array(a, net->weights, 0.6, 1.4);
        else if (a->init == INIT_ZERO)
            draw_array(a, net->weights, -0.5, 0.5);
        draw_array(a, net->momentum, -0.1, 0.1);
    }
    for (int i = 0; i < net->statistic_layout.n; i++) {
        const struct layout_array *a = &net->statistic_layout.array[i];
        bool mean = a->init == INIT_ZERO;
        draw_array(a, net->statistics, mean ? -0.3 : 0.5, mean ? 0.3 : 1.5);
    }
    return net;
}

static inline struct path path_of(const struct supernet *net, const char *text)
{
    char why[128];
    struct path path;
    if (!path_parse(&path, &net->space, text, why, sizeof(why)))
        fail_msg("%s", why);
    return path;
}

/* A batch of drawn images. */
struct batch {
    int n;
    float *images;
    int *labels;
};

static inline size_t image_floats(const struct space_config *config)
{
    return (size_t)config->input[0] * (size_t)config->input[1] *
           (size_t)config->input[2];
}

static inline struct batch drawn_batch(const struct space_config *config, int n)
{
    struct batch b = {n, memory_zeroed((size_t)n * image_floats(config), sizeof(float)),
                      memory_zeroed((size_t)n, sizeof(int))};
    for (size_t i = 0; i < (size_t)n * image_floats(config); i++)
        b.images[i] = (float)drawn(-1.5, 1.5);
    for (int i = 0; i < n; i++)
        b.labels[i] = (int)drawn(0, config->classes);
    return b;
}

static inline void batch_release(struct batch *batch)
{
    free(batch->images);
    free(batch->labels);
}

static inline void write_split(struct artifact *file, const char *split,
                               const struct space_config *config, size_t n)
{
    size_t floats = n * image_floats(config);
    unsigned char *pixel = memory_zeroed(floats, 1);
    int *label = memory_zeroed(n, sizeof(int));
    for (size_t i = 0; i < floats; i++)
        pixel[i] = (unsigned char)drawn(0, 256);
    for (size_t i = 0; i < n; i++)
        label[i] = (int)i % config->classes;
    char name[64];
    size_t shape[] = {n, (size_t)config->input[0], (size_t)config->input[1],
                      (size_t)config->input[2]};
    snprintf(name, sizeof(name), "%s/images", split);
    artifact_write(file, name, ARRAY_U8, 4, shape, pixel, "1", "images");
    snprintf(name, sizeof(name), "%s/labels", split);
    artifact_write_vector(file, name, ARRAY_I32, n, label, "1", "labels");
    free(pixel);
    free(label);
}

/* A dataset's file of drawn images, `train` and `validation` of them. */
static inline void write_dataset(const char *path, const struct space_config *config,
                                 size_t train, size_t validation)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    double mean[] = {0.5, 0.4, 0.6}, deviation[] = {0.3, 0.25, 0.35};
    struct artifact_origin origin = {.stage = "prepare", .config = "", .threads = 1};
    struct artifact *file = artifact_create(path, &origin);
    write_split(file, "train", config, train);
    write_split(file, "validation", config, validation);
    write_split(file, "test", config, 4);
    artifact_write_vector(file, "class_names", ARRAY_TEXT, (size_t)config->classes,
                          names, "1", "classes");
    artifact_write_vector(file, "mean", ARRAY_F64, (size_t)config->input[2], mean, "1",
                          "mean");
    artifact_write_vector(file, "deviation", ARRAY_F64, (size_t)config->input[2],
                          deviation, "1", "deviation");
    artifact_commit(file);
}

#endif
