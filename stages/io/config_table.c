#include "io/config_table.h"

#include "io/config.h"
#include "io/lists.h"
#include "io/setting_kinds.h"
#include "io/space_lists.h"

/* A row named as its field is: greedy.epsilon.to is config->greedy.epsilon.to. */
#define ROW(field, its_kind, fallback)                                                 \
    .name = #field, .kind = &(its_kind), .offset = offsetof(struct config, field),     \
    .value = fallback
#define SECTION(path, used_by, sentence)                                               \
    {                                                                                  \
        .name = path, .use = used_by, .help = sentence                                 \
    }
#define INTEGER(field, fallback, from, to, used_by, sentence)                          \
    {                                                                                  \
        ROW(field, kind_integer, fallback), .least = from, .most = to, .use = used_by, \
                                            .help = sentence                           \
    }
#define NUMBER(field, fallback, from, to, used_by, sentence)                           \
    {                                                                                  \
        ROW(field, kind_number, fallback), .least = from, .most = to, .use = used_by,  \
                                           .help = sentence                            \
    }
#define LATER_NUMBER(field, fallback, from, to, used_by, sentence)                     \
    {                                                                                  \
        ROW(field, kind_number, fallback), .least = from, .most = to, .use = used_by,  \
                                           .later = true, .help = sentence             \
    }
#define BOOLEAN(field, fallback, used_by, sentence)                                    \
    {                                                                                  \
        ROW(field, kind_boolean, fallback), .use = used_by, .help = sentence           \
    }
#define WORD(field, fallback, allowed, used_by, sentence)                              \
    {                                                                                  \
        ROW(field, kind_word, fallback), .words = allowed, .use = used_by,             \
                                         .help = sentence                              \
    }
/* The lists of the space fill several fields of struct space_config. */
#define SPACE_LIST(path, its_kind, fallback, needed, used_by, sentence)                \
    {                                                                                  \
        .name = path, .kind = &(its_kind), .offset = offsetof(struct config, space),   \
        .value = fallback, .required = needed, .use = used_by, .help = sentence        \
    }

#define ACTIVATIONS "relu relu6 hswish swish"
#define STEPS_MAX 1000000000
#define IMAGES_MAX 100000000
#define COUNT_MAX 1000000

static const struct setting rows[] = {
    {ROW(seed, kind_seed, "1"), .use = USE_ALL,
     .help = "Every random number of the run follows from it: same seed, same result."},

    SECTION("dataset", USE_PREPARE | USE_STEPS,
            "The images. `prepare` turns them into data/<name>.h5, once."),
    {ROW(dataset.name, kind_file_name, "imagenet"), .required = true,
     .use = USE_PREPARE, .help = "What the dataset is called here: data/<name>.h5."},
    {ROW(dataset.format, kind_word, "imagefolder"),
     .words = "idx imagefolder cifar10 cifar100 ilsvrc2012", .required = true,
     .use = USE_PREPARE,
     .help = "How the source is stored: idx, the four files of MNIST and its kin; "
             "imagefolder, JPEG and PNG files in train/CLASS/ and test/CLASS/ or "
             "val/CLASS/; cifar10 and cifar100, the binary versions; ilsvrc2012, "
             "ImageNet's archives (data/README.md)."},
    {ROW(dataset.source, kind_text, "data/source/imagenet"), .required = true,
     .use = USE_PREPARE,
     .help = "The folder to import from, or a tar file of it (imagefolder, cifar)."},
    {ROW(dataset.decode, kind_word, "auto"), .words = "auto import read",
     .use = USE_PREPARE, .later = true,
     .help = "When image files are decoded: at the import, all of them of the size of "
             "space.input; or whenever one is read, which takes any size, and less "
             "disk; auto: at the import if the first one has that size."},
    INTEGER(dataset.validation_per_class, "50", 1, IMAGES_MAX, USE_PREPARE,
            "Training images of each class that are put aside to judge paths with "
            "(paper: 50)."),
    SECTION("dataset.augment", USE_STEPS,
            "How training images are varied; validation images never are."),
    INTEGER(dataset.augment.pad_crop, "0", 0, 1024, USE_STEPS,
            "Pad each side with so many zero pixels, then crop at random; 0 = off."),
    BOOLEAN(dataset.augment.flip, "false", USE_STEPS,
            "Mirror every second image, left to right."),
    LATER_NUMBER(dataset.augment.crop_area, "0", 0, 1, USE_STEPS,
                 "Crop at random, at least this share of the picture, and resize that "
                 "(ImageNet: 0.08); 0 = off."),
    LATER_NUMBER(dataset.augment.crop_aspect, "0.75", 0.01, 1, USE_STEPS,
                 "Width / height of these crops: from this to its inverse."),
    LATER_NUMBER(dataset.augment.brightness, "0", 0, 1, USE_STEPS,
                 "Brightness times a number in 1 - this to 1 + this; 0 = off (often: "
                 "0.4)."),
    LATER_NUMBER(dataset.augment.contrast, "0", 0, 1, USE_STEPS,
                 "The same for the contrast: the distance from the mean grey."),
    LATER_NUMBER(dataset.augment.saturation, "0", 0, 1, USE_STEPS,
                 "The same for the saturation: the distance from each pixel's grey."),

    SECTION(
        "network", USE_NETWORK,
        "A network by itself, in a file of its own (configs/zoo): `space` says what "
        "its layers look like, `network` which choice each takes. The only sections "
        "there."),
    {ROW(network.name, kind_text, "MobileNetV2"), .required = true, .use = USE_NETWORK,
     .help = "What its authors call it."},
    {ROW(network.path, kind_text, "k3e6 k5e3s id"), .required = true,
     .use = USE_NETWORK, .help = "A token for each layer of the space."},
    {ROW(network.source, kind_text, "none"), .use = USE_NETWORK,
     .help = "Where layers and figures were published."},
    SECTION("network.reported", USE_NETWORK, "What its authors report; 0 = nothing."),
    NUMBER(network.reported.flops, "0", 0, 1e18, USE_NETWORK, "Multiply-adds."),
    NUMBER(network.reported.params, "0", 0, 1e18, USE_NETWORK, "Parameters."),
    NUMBER(network.reported.top1, "0", 0, 100, USE_NETWORK,
           "Top-1 accuracy on ImageNet, in percent."),
    NUMBER(network.reported.top5, "0", 0, 100, USE_NETWORK,
           "Top-5 accuracy on ImageNet, in percent."),
    NUMBER(network.reported.latency_ms, "0", 0, 1e6, USE_NETWORK,
           "Milliseconds for an image on a Snapdragon 855 phone, as the GreedyNAS "
           "paper's Table 2 has them."),

    SECTION(
        "space", USE_ALL | USE_NETWORK,
        "The search space: stem, fixed blocks, stages of layers that choose, head."),
    SPACE_LIST("space.input", kind_input, "[224, 224, 3]", true, USE_ALL | USE_NETWORK,
               "The image: height, width, channels."),
    {ROW(space.classes, kind_integer, "1000"), .required = true, .least = 2,
     .most = COUNT_MAX, .use = USE_ALL | USE_NETWORK, .help = "Classes to tell apart."},
    WORD(space.activation, "relu", ACTIVATIONS, USE_SPACE | USE_NETWORK,
         "The activation inside the blocks."),
    SECTION("space.stem", USE_SPACE | USE_NETWORK, "The first convolution."),
    INTEGER(space.stem.channels, "32", 1, 65536, USE_SPACE | USE_NETWORK,
            "Its output channels (paper: 32)."),
    {ROW(space.stem.kernel, kind_kernel, "3"), .use = USE_SPACE | USE_NETWORK,
     .help = "Its kernel."},
    INTEGER(space.stem.stride, "2", 1, 2, USE_SPACE | USE_NETWORK,
            "Its stride (paper: 2)."),
    WORD(space.stem.activation, "\"\"", " " ACTIVATIONS, USE_SPACE | USE_NETWORK,
         "The activation after it; \"\" = the blocks'."),
    SPACE_LIST("space.fixed", kind_fixed, "[]", false, USE_SPACE | USE_NETWORK,
               "Blocks between the stem and the layers that choose, for example "
               "[{op: k3e1, channels: 16, repeat: 1, stride: 1}]."),
    SPACE_LIST(
        "space.stages", kind_stages,
        "[{channels: 32, repeat: 4, stride: 2}, {channels: 40, repeat: 4, "
        "stride: 2}, {channels: 80, repeat: 4, stride: 2}, {channels: 96, "
        "repeat: 4, stride: 1}, {channels: 192, repeat: 4, stride: 2}, "
        "{channels: 320, repeat: 1, stride: 1}]",
        true, USE_SPACE | USE_NETWORK,
        "The layers that choose, stage by stage; the stride is the first layer's, "
        "repeat and stride are 1 if not given. At most 64 layers in all."),
    SPACE_LIST(
        "space.choices", kind_choices, "[k3e3, k3e6, k5e3, k5e6, k7e3, k7e6, id]", true,
        USE_SPACE | USE_NETWORK,
        "What each layer chooses from. kKeE is an inverted bottleneck with a K x K "
        "depthwise kernel and expansion E, kKeEs one with "
        "squeeze-and-excitation, id passes through. Or by factors: {kernels: [3, "
        "5, 7], expansions: [3, 6], squeeze_excite: [false], identity: true}. "
        "shuffleK is ShuffleNetV2's block with a K x K kernel, xception its variant "
        "with three 3 x 3 ones."),
    SECTION("space.squeeze_excite", USE_SPACE | USE_NETWORK,
            "Squeeze-and-excitation, in the blocks that have it."),
    NUMBER(space.squeeze_excite.ratio, "0.25", 0.001, 8, USE_SPACE | USE_NETWORK,
           "Its inner width as a share of the width below (paper: 0.25)."),
    WORD(space.squeeze_excite.of, "expanded", "expanded input", USE_SPACE | USE_NETWORK,
         "The width that the ratio is of: the block's expanded one or its input's."),
    WORD(space.squeeze_excite.activation, "hswish", ACTIVATIONS,
         USE_SPACE | USE_NETWORK, "The activation between its two convolutions."),
    WORD(space.squeeze_excite.gate, "hsigmoid", "hsigmoid sigmoid",
         USE_SPACE | USE_NETWORK, "The function that makes the gate."),
    SECTION("space.head", USE_SPACE | USE_NETWORK,
            "The last 1x1 convolution, before pooling."),
    INTEGER(space.head.channels, "1280", 0, 65536, USE_SPACE | USE_NETWORK,
            "Its output channels (paper: 1280); 0 = there is none."),
    WORD(space.head.activation, "\"\"", " " ACTIVATIONS, USE_SPACE | USE_NETWORK,
         "The activation after it; \"\" = the blocks'."),
    BOOLEAN(space.head.bias, "true", USE_SPACE | USE_NETWORK,
            "Whether the classifier after pooling has a bias."),

    SECTION(
        "supernet", USE_TRAINING,
        "Training of the supernet: one schedule for warm-up and greedy, and how the "
        "supernets that it is compared with are trained."),
    INTEGER(supernet.batch, "1024", 2, COUNT_MAX, USE_TRAINING,
            "Images in one step (paper: 1024)."),
    INTEGER(supernet.steps, "55300", 1, STEPS_MAX, USE_TRAINING,
            "Steps of warm-up and greedy together; the learning rate ends there (46 "
            "epochs of ImageNet at the paper's batch)."),
    NUMBER(supernet.learning_rate, "0.12", 0, 1000, USE_TRAINING,
           "At the start of its cosine (paper: 0.12 at batch 1024)."),
    INTEGER(supernet.lr_ramp, "0", 0, STEPS_MAX, USE_TRAINING,
            "Steps in which the learning rate rises from 0 first; 0 = none."),
    NUMBER(supernet.momentum, "0.9", 0, 0.9999, USE_TRAINING,
           "Nesterov momentum (paper: 0.9)."),
    NUMBER(
        supernet.weight_decay, "4.0e-5", 0, 1, USE_TRAINING,
        "Decay of convolution and classifier weights; batch normalisation and biases "
        "have none."),
    NUMBER(supernet.label_smoothing, "0.1", 0, 0.999, USE_TRAINING,
           "Share of the label that is spread over all classes."),
    NUMBER(supernet.bn_momentum, "0.1", 0, 1, USE_TRAINING,
           "Weight of a new batch in batch normalisation's running statistics."),

    SECTION("sampling", USE_TRAINING, "The law of the paths that training draws."),
    SECTION("sampling.constraint", USE_TRAINING,
            "Limits on the paths that training draws; 0 = none."),
    NUMBER(sampling.constraint.flops, "0", 0, 1e18, USE_TRAINING,
           "Most multiply-adds of a path that is trained."),
    NUMBER(sampling.constraint.params, "0", 0, 1e18, USE_TRAINING,
           "Most parameters of a path that is trained."),

    SECTION("warmup", USE_SCHEDULE, "Uniform training before greedy."),
    INTEGER(warmup.steps, "10000", 0, STEPS_MAX, USE_SCHEDULE,
            "How many of supernet.steps it takes (paper: 10000)."),

    SECTION("greedy", USE_GREEDY, "Greedy training: Algorithms 1 and 2 of the paper."),
    INTEGER(greedy.sampled_paths, "10", 1, 10000, USE_GREEDY,
            "Paths drawn in one round: m of Algorithm 1 (paper: 10)."),
    INTEGER(
        greedy.kept_paths, "5", 1, 10000, USE_GREEDY,
        "Those with the least loss, which are trained: k of Algorithm 1 (paper: 5)."),
    INTEGER(greedy.surrogate_images, "1000", 2, IMAGES_MAX, USE_GREEDY,
            "Validation images that judge the paths of a round, as many of each class "
            "(paper: 1000)."),
    INTEGER(greedy.pool_size, "1000", 1, COUNT_MAX, USE_GREEDY,
            "Paths in the candidate pool (paper: 1000)."),
    SECTION("greedy.epsilon", USE_GREEDY,
            "Chance that a path is drawn from the pool: it rises linearly."),
    NUMBER(greedy.epsilon.from, "0", 0, 1, USE_GREEDY, "At the start (paper: 0)."),
    NUMBER(greedy.epsilon.to, "0.8", 0, 1, USE_GREEDY, "At the end (paper: 0.8)."),
    INTEGER(greedy.epsilon.ramp_steps, "0", 0, STEPS_MAX, USE_GREEDY,
            "Steps of the rise, from the start of greedy; 0 = to the end of "
            "supernet.steps."),
    SECTION("greedy.stop", USE_GREEDY, "When the pool has settled, training ends."),
    NUMBER(
        greedy.stop.alpha, "0.08", 0, 1, USE_GREEDY,
        "Stop when the share of new paths in a full pool falls to this (paper: 0.08)."),
    INTEGER(greedy.stop.window, "0", 0, STEPS_MAX, USE_GREEDY,
            "New since so many steps ago; 0 = one epoch."),
    BOOLEAN(greedy.filter, "true", USE_GREEDY,
            "Train the kept paths only; off: every path that was drawn (Table 4)."),
    BOOLEAN(greedy.sample_from_pool, "true", USE_GREEDY,
            "Draw from the pool, too; off: epsilon is 0 throughout (Table 4)."),
    BOOLEAN(greedy.stop_by_turnover, "true", USE_GREEDY,
            "Stop when the pool has settled; off: only supernet.steps ends training."),
    BOOLEAN(greedy.refresh_losses, "true", USE_GREEDY,
            "A path that is drawn again takes its newest loss; off: it keeps the old "
            "one."),

    SECTION("uniform", USE_UNIFORM,
            "A supernet to compare with: one uniformly drawn path a step, throughout."),
    INTEGER(uniform.steps, "0", 0, STEPS_MAX, USE_UNIFORM,
            "Its steps, and the length of its schedule; 0 = supernet.steps (paper: 120 "
            "epochs where greedy has 46)."),
    INTEGER(uniform.snapshot_steps, "0", 0, STEPS_MAX, USE_UNIFORM,
            "Keep its weights every so many steps, for the rank correlation over "
            "training (Figure 4); 0 = only those of the end."),
    SECTION("fairnas", USE_FAIRNAS,
            "A supernet to compare with: in each step every choice of every layer is "
            "trained on the same batch, in as many paths as there are choices."),
    INTEGER(fairnas.steps, "0", 0, STEPS_MAX, USE_FAIRNAS,
            "Its steps; 0 = as many as train supernet.steps x supernet.batch images, "
            "each path's counted."),
    SECTION("equal_cost", USE_EQUAL_COST,
            "The same two, which stop at the cost of the greedy run: images trained + "
            "images scored / ratio."),
    NUMBER(
        equal_cost.ratio, "0", 0, 1000, USE_EQUAL_COST,
        "How much more an image costs to train than to score; 0 = as measured in the "
        "greedy run, which differs from run to run (paper: 3.33)."),

    SECTION("search", USE_JUDGING, "The search for paths in the trained supernet."),
    WORD(search.algorithm, "nsga2", "nsga2 random", USE_SEARCH,
         "nsga2: evolution, error against search.cost; random: the baseline."),
    INTEGER(search.population, "50", 2, COUNT_MAX, USE_SEARCH,
            "Paths in one generation (paper: 50)."),
    INTEGER(search.generations, "20", 1, COUNT_MAX, USE_SEARCH,
            "Generations; the first population is number 0 (paper: 20)."),
    NUMBER(search.mutation, "0.1", 0, 1, USE_SEARCH,
           "Chance of each layer to choose anew."),
    BOOLEAN(search.initialise_from_pool, "true", USE_SEARCH,
            "Begin with the best paths of greedy's pool; off: with random ones (Table "
            "4)."),
    WORD(search.cost, "flops", "flops params latency_ms", USE_SEARCH,
         "What the evolution minimises beside the error (paper: flops); latency_ms: "
         "by latency.h5 (see latency)."),
    SECTION("search.constraints", USE_JUDGING,
            "Limits on the paths that are considered; 0 = none."),
    NUMBER(search.constraints.flops, "0", 0, 1e18, USE_JUDGING,
           "Most multiply-adds of a path."),
    NUMBER(search.constraints.params, "0", 0, 1e18, USE_JUDGING,
           "Most parameters of a path."),
    NUMBER(search.constraints.latency_ms, "0", 0, 1e9, USE_JUDGING,
           "Longest time of a path by latency.h5 (see latency), in milliseconds."),
    WORD(search.bn, "recalibrate", "batch recalibrate", USE_SEARCH,
         "Batch normalisation while a path is judged: statistics of the batch itself, "
         "or "
         "re-estimated for the path on training images."),
    INTEGER(search.recalibrate_images, "20000", 2, IMAGES_MAX, USE_SEARCH,
            "Training images to re-estimate with: the same for every path."),
    INTEGER(search.validation_images, "0", 0, IMAGES_MAX, USE_SEARCH,
            "Validation images that judge a path; 0 = all of them."),
    INTEGER(search.batch, "250", 2, COUNT_MAX, USE_SEARCH,
            "Images at a time while a path is judged."),
    INTEGER(
        search.random_paths, "1000", 0, IMAGES_MAX, USE_SEARCH,
        "Paths that `search.algorithm: random` judges (paper: 1000); 0 = population x "
        "generations, as many as the evolution does: so in the stage `random`."),

    SECTION("retrain", USE_RETRAIN | USE_PIPELINE,
            "Training of one network from scratch: what the search is for."),
    {ROW(retrain.networks, kind_texts, "[found, random, largest]"), .use = USE_PIPELINE,
     .help = "What `make retrain` trains, an artifact each: found (by search), random "
             "(by random search), another search of the run by its name; largest, "
             "smallest; a network of configs/zoo by its name; or one of your own, "
             "NAME=TOKENS."},
    {ROW(retrain.network, kind_text, "found"), .use = USE_RETRAIN,
     .help = "The one that is trained: found (by the search that the stage is given), "
             "largest or smallest of the space (by FLOPs), or one token a layer. make "
             "sets it for each of retrain.networks."},
    WORD(retrain.images, "train+validation", "train train+validation", USE_RETRAIN,
         "What it is trained on. The paper's figures are of networks that saw all "
         "images but the test's: train+validation; then no images are left to judge "
         "epochs by. With train, the validation images judge each epoch."),
    INTEGER(retrain.epochs, "300", 1, 100000, USE_RETRAIN, "Passes over these images."),
    INTEGER(retrain.batch, "256", 2, COUNT_MAX, USE_RETRAIN, "Images in one step."),
    WORD(retrain.optimizer, "sgd", "sgd rmsprop", USE_RETRAIN,
         "sgd: with Nesterov momentum; rmsprop: as TensorFlow has it (paper, for the "
         "space with squeeze-and-excitation)."),
    NUMBER(retrain.learning_rate, "0.05", 0, 1000, USE_RETRAIN,
           "At its height, with retrain.learning_rate_batch images in a step."),
    INTEGER(retrain.learning_rate_batch, "256", 1, COUNT_MAX, USE_RETRAIN,
            "The batch that retrain.learning_rate is meant for: with another one the "
            "rate grows or shrinks in proportion."),
    NUMBER(retrain.lr_ramp, "0", 0, 100000, USE_RETRAIN,
           "Epochs in which the learning rate rises from 0 first; 0 = none."),
    WORD(retrain.schedule, "cosine", "cosine steps", USE_RETRAIN,
         "How the learning rate falls after that: by a cosine to 0, or by steps."),
    SECTION("retrain.steps", USE_RETRAIN, "The schedule `steps`."),
    NUMBER(retrain.steps.factor, "0.97", 0, 1, USE_RETRAIN,
           "Each step leaves so much of the rate (paper: 0.97)."),
    NUMBER(retrain.steps.epochs, "3", 0.001, 100000, USE_RETRAIN,
           "Epochs of each step, the first from the ramp's end on (paper: 3)."),
    NUMBER(retrain.momentum, "0.9", 0, 0.9999, USE_RETRAIN,
           "Of either optimizer (paper: 0.9)."),
    SECTION("retrain.rmsprop", USE_RETRAIN, "The optimizer `rmsprop`."),
    NUMBER(retrain.rmsprop.decay, "0.9", 0, 0.99999, USE_RETRAIN,
           "Decay of the mean square of the gradients."),
    NUMBER(retrain.rmsprop.epsilon, "0.001", 1e-12, 1e6, USE_RETRAIN,
           "Added to it inside the root."),
    NUMBER(
        retrain.weight_decay, "4.0e-5", 0, 1, USE_RETRAIN,
        "Decay of convolution and classifier weights; batch normalisation and biases "
        "have none."),
    NUMBER(retrain.label_smoothing, "0.1", 0, 0.999, USE_RETRAIN,
           "Share of the label that is spread over all classes."),
    NUMBER(retrain.dropout, "0", 0, 0.95, USE_RETRAIN,
           "Chance that a feature is dropped before the classifier, in training."),
    NUMBER(retrain.ema, "0", 0, 0.999999, USE_RETRAIN,
           "Decay of the moving average of weights and running statistics, which is "
           "then what is judged; (1 + n) / (10 + n) while step n makes that less. 0 = "
           "none."),
    NUMBER(retrain.bn_momentum, "0.1", 0, 1, USE_RETRAIN,
           "Weight of a new batch in batch normalisation's running statistics."),

    SECTION("evaluate", USE_EVALUATE,
            "Judging a retrained network on the test images."),
    WORD(
        evaluate.weights, "best", "best last", USE_EVALUATE,
        "best: of the epoch with the best validation accuracy, if there were "
        "validation images; last: of the last epoch. The moving average's, if there is "
        "one."),
    INTEGER(evaluate.batch, "250", 1, COUNT_MAX, USE_EVALUATE,
            "Images at a time; it changes no result."),
    INTEGER(evaluate.latency_batch, "32", 2, 65536, USE_EVALUATE,
            "One image and a batch of so many are timed, on one thread."),
    INTEGER(evaluate.repetitions, "50", 1, COUNT_MAX, USE_EVALUATE,
            "Times that each is timed; median and quartiles count."),

    SECTION("rankcorr", USE_RANKCORR,
            "How far rankings by a supernet can be trusted (Table 3, Figure 4)."),
    INTEGER(rankcorr.paths, "1000", 2, COUNT_MAX, USE_RANKCORR,
            "Random paths that are ranked, or all that there are (paper: 1000)."),
    {ROW(rankcorr.images, kind_counts, "[10, 50, 100, 500, 1000, 5000]"), .least = 1,
     .most = IMAGES_MAX, .use = USE_RANKCORR,
     .help = "Numbers of validation images whose ranking is compared with that by all "
             "of them; numbers beyond what there is are left out."},
    INTEGER(rankcorr.validation_images, "0", 0, IMAGES_MAX, USE_RANKCORR,
            "Validation images that stand for all of them; 0 = all (paper: all)."),
    WORD(
        rankcorr.bn, "batch", "batch recalibrate", USE_RANKCORR,
        "As search.bn. With batch, each number of images has the statistics of its own "
        "batches, as greedy's surrogate has."),
    INTEGER(rankcorr.recalibrate_images, "20000", 2, IMAGES_MAX, USE_RANKCORR,
            "As search.recalibrate_images."),
    INTEGER(rankcorr.batch, "250", 2, COUNT_MAX, USE_RANKCORR,
            "Images at a time while a path is judged. Greedy judges its surrogate as "
            "one batch: so does this where it is not less."),
    INTEGER(rankcorr.bootstrap, "1000", 1, COUNT_MAX, USE_RANKCORR,
            "Resamples of the paths for the interval of each correlation."),
    {ROW(rankcorr.truth, kind_text, "none"), .use = USE_RANKCORR,
     .help = "A table of known accuracies (CSV or HDF5, see stages/nas/truth.h) to "
             "compare rankings with, too; the paths are then drawn from it."},

    SECTION("latency", USE_LATENCY,
            "The time that each part of a network takes: on this processor, or by a "
            "table."),
    {ROW(latency.table, kind_text, "none"), .use = USE_LATENCY,
     .help = "A table measured elsewhere, in the form of ProxylessNAS's (YAML); none = "
             "measure here."},
    INTEGER(latency.batch, "1", 1, 65536, USE_LATENCY, "Images at once."),
    INTEGER(latency.threads, "1", 1, 4096, USE_LATENCY,
            "Threads, whatever the stages have."),
    INTEGER(latency.repetitions, "20", 1, COUNT_MAX, USE_LATENCY,
            "Times that each part is measured in each layer; the median counts."),
    INTEGER(latency.networks, "30", 2, 10000, USE_LATENCY,
            "Random networks that are measured whole, to judge the sums by."),

    SECTION(CONFIG_NEUTRAL_SECTION, USE_NETWORKS,
            "How much work a kill can cost. It changes no result and re-runs nothing."),
    NUMBER(checkpoint.seconds, "300", 1, 1e7, USE_NETWORKS,
           "A checkpoint at least this often."),
    INTEGER(checkpoint.steps, "0", 0, STEPS_MAX, USE_NETWORKS,
            "And every so many steps; 0 = by time alone."),
};

const struct settings config_table = {rows, sizeof rows / sizeof *rows};
_Static_assert(sizeof rows / sizeof *rows <= CONFIG_ROWS_MAX, "room for every row");
