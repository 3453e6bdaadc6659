#include "io/moments.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/stop.h"
#include "io/dataset.h"
#include "io/decode.h"

/* From how often each value occurs: exact, and the same whatever the order. */
static void from_counts(const uint64_t count[256], double *mean, double *deviation)
{
    uint64_t n = 0, sum = 0, squares = 0;
    for (uint64_t v = 0; v < 256; v++) {
        n += count[v];
        sum += count[v] * v;
        squares += count[v] * v * v;
    }
    unsigned __int128 spread =
        (unsigned __int128)n * squares - (unsigned __int128)sum * sum;
    *mean = (double)sum / (double)n / 255;
    *deviation = sqrt((double)spread) / (double)n / 255;
}

static void of_pixels(const struct image_set *set, const int *index, int n,
                      const int input[3], struct moments *moments)
{
    size_t channels = (size_t)input[2], pixels = (size_t)input[0] * (size_t)input[1];
    uint64_t(*count)[256] = memory_zeroed(channels, sizeof(*count));
    for (int i = 0; i < n; i++) {
        const unsigned char *at = set->pixel + (size_t)index[i] * pixels * channels;
        for (size_t j = 0; j < pixels; j++)
            for (size_t c = 0; c < channels; c++)
                count[c][*at++]++;
    }
    for (size_t c = 0; c < channels; c++)
        from_counts(count[c], &moments->mean[c], &moments->deviation[c]);
    free(count);
}

/* What a thread decodes in. */
struct bench {
    struct decoder *decoder;
    struct resizer *resizer;
    unsigned char *bytes;
    size_t capacity;
    float *image;
};

struct sums {
    double sum[3], squares[3];
};

static void read_file(const struct import *import, const struct image_set *set, int i,
                      int descriptor, struct bench *bench)
{
    size_t size = (size_t)set->size[i], done = 0;
    if (size > bench->capacity) {
        bench->bytes = memory_resized(bench->bytes, size, 1);
        bench->capacity = size;
    }
    while (done < size) {
        ssize_t n = pread(descriptor, bench->bytes + done, size - done,
                          (off_t)import->place + set->offset[i] + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("cannot read '%s' in '%s': %s", set->file[i], import->reserved,
                n < 0 ? strerror(errno) : "the file ends before it");
        done += (size_t)n;
    }
}

static void add_image(const struct image_set *set, int i, const int input[3],
                      struct bench *bench, struct sums *sums)
{
    int height, width, channels = input[2];
    struct picture picture;
    const char *why = decoder_begin(bench->decoder, bench->bytes, (size_t)set->size[i],
                                    &height, &width);
    if (!why) {
        struct window window =
            window_centred(height, width, input[0], input[1], DATASET_CENTRE);
        why = decoder_read(bench->decoder, channels, &window, input[0], input[1],
                           &picture);
        if (!why)
            resize(bench->resizer, &picture, &window, input[0], input[1], bench->image);
    }
    if (why)
        die("'%s': %s", set->file[i], why);
    for (int j = 0; j < input[0] * input[1]; j++)
        for (int c = 0; c < channels; c++) {
            double value = (double)bench->image[j * channels + c] / 255;
            sums->sum[c] += value;
            sums->squares[c] += value * value;
        }
}

/* Each image's sums by themselves, added up in their order: the same bits always. */
static void of_files(const struct import *import, const struct image_set *set,
                     const int *index, int n, const struct config *config,
                     struct moments *moments)
{
    const int *input = config->space.input;
    size_t size = (size_t)input[0] * (size_t)input[1] * (size_t)input[2];
    struct sums *sums = memory_zeroed((size_t)n, sizeof(*sums)), all = {0};
    int descriptor = open(import->reserved, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        die("cannot open '%s': %s", import->reserved, strerror(errno));
#pragma omp parallel
    {
        struct bench bench = {.decoder = decoder_create(),
                              .resizer = resizer_create(),
                              .image = memory_zeroed(size, sizeof(float))};
#pragma omp for schedule(dynamic, 1)
        for (int i = 0; i < n; i++) {
            if (stop_requested())
                continue;
            read_file(import, set, index[i], descriptor, &bench);
            add_image(set, index[i], input, &bench, &sums[i]);
        }
        decoder_free(bench.decoder);
        resizer_free(bench.resizer);
        free(bench.bytes);
        free(bench.image);
    }
    close(descriptor);
    double pixels = (double)n * input[0] * input[1];
    for (int c = 0; c < input[2]; c++) {
        for (int i = 0; i < n; i++) {
            all.sum[c] += sums[i].sum[c];
            all.squares[c] += sums[i].squares[c];
        }
        double mean = all.sum[c] / pixels;
        double variance = all.squares[c] / pixels - mean * mean;
        moments->mean[c] = mean;
        /* Less than this is rounding. */
        moments->deviation[c] = variance > 1e-12 ? sqrt(variance) : 0;
    }
    free(sums);
}

struct moments moments_of(const struct import *import, const struct image_set *set,
                          const int *index, int n, const struct config *config)
{
    size_t channels = (size_t)config->space.input[2];
    struct moments moments = {memory_zeroed(channels, sizeof(double)),
                              memory_zeroed(channels, sizeof(double))};
    if (set->pixel) {
        of_pixels(set, index, n, config->space.input, &moments);
    } else {
        int *some = memory_zeroed((size_t)n, sizeof(int));
        struct rng rng = rng_stream(config->seed, RNG_SPLIT, 1, 0);
        memcpy(some, index, (size_t)n * sizeof(int));
        rng_shuffle(&rng, some, n);
        of_files(import, set, some, n < MOMENTS_FILES_MAX ? n : MOMENTS_FILES_MAX,
                 config, &moments);
        free(some);
    }
    for (size_t c = 0; c < channels && !stop_requested(); c++)
        if (moments.deviation[c] == 0)
            die("'%s': all pixels of channel %zu have the same value, expected images",
                set->images, c);
    return moments;
}

void moments_release(struct moments *moments)
{
    free(moments->mean);
    free(moments->deviation);
    *moments = (struct moments){0};
}
