#include "io/resize.h"

#include <math.h>
#include <stdlib.h>

#include "base/die.h"
#include "base/memory.h"

/* Along one side: output i is the sum of weight[i * most + t] times input start[i] + t,
 * over t < count[i]. */
struct side {
    int most, *start, *count;
    float *weight;
    size_t n_capacity, weight_capacity;
};

struct resizer {
    struct side down, across;
    float *rows; /* [rows of the window, width, channels] */
    size_t rows_capacity;
};

struct resizer *resizer_create(void)
{
    return memory_zeroed(1, sizeof(struct resizer));
}

void resizer_free(struct resizer *resizer)
{
    if (!resizer)
        return;
    for (int s = 0; s < 2; s++) {
        struct side *side = s ? &resizer->down : &resizer->across;
        free(side->start);
        free(side->count);
        free(side->weight);
    }
    free(resizer->rows);
    free(resizer);
}

struct window window_centred(int picture_height, int picture_width, int height,
                             int width, double share)
{
    double tall = (double)picture_height / height, wide = (double)picture_width / width;
    double scale = (tall < wide ? tall : wide) * share;
    struct window window = {.height = height * scale, .width = width * scale};
    window.top = (picture_height - window.height) / 2;
    window.left = (picture_width - window.width) / 2;
    return window;
}

static void side_reserve(struct side *side, size_t n, int most)
{
    side->most = most;
    if (n > side->n_capacity) {
        side->start = memory_resized(side->start, n, sizeof(int));
        side->count = memory_resized(side->count, n, sizeof(int));
        side->n_capacity = n;
    }
    if (n * (size_t)most > side->weight_capacity) {
        side->weight_capacity = n * (size_t)most;
        side->weight =
            memory_resized(side->weight, side->weight_capacity, sizeof(float));
    }
}

/* A triangle around the middle of each output, cut off at the window, of sum 1. */
static void side_plan(struct side *side, double from, double length, int pixels, int n)
{
    double scale = length / n, reach = scale > 1 ? scale : 1;
    int least = (int)floor(from + 1e-9), most = (int)ceil(from + length - 1e-9);
    least = least < 0 ? 0 : least;
    most = most > pixels ? pixels : most;
    side_reserve(side, (size_t)n, (int)ceil(2 * reach) + 2);
    for (int i = 0; i < n; i++) {
        double middle = from + (i + 0.5) * scale, sum = 0;
        int first = (int)floor(middle - reach), end = (int)ceil(middle + reach);
        first = first < least ? least : first > most - 1 ? most - 1 : first;
        end = end > most ? most : end <= first ? first + 1 : end;
        BUG_IF(end - first > side->most);
        float *weight = side->weight + (size_t)i * (size_t)side->most;
        side->start[i] = first;
        side->count[i] = end - first;
        for (int t = first; t < end; t++) {
            double w = 1 - fabs(t + 0.5 - middle) / reach;
            sum += w > 0 ? w : 0;
        }
        for (int t = first; t < end; t++) {
            double w = 1 - fabs(t + 0.5 - middle) / reach;
            weight[t - first] = sum > 0 ? (float)((w > 0 ? w : 0) / sum) : 1;
        }
    }
}

/* pixel: [width of the picture, channels], out: [n, channels] */
static void shrink_row(const struct side *side, const unsigned char *pixel,
                       int channels, int n, float *out)
{
    for (int i = 0; i < n; i++, out += channels) {
        const unsigned char *in = pixel + (size_t)side->start[i] * (size_t)channels;
        const float *weight = side->weight + (size_t)i * (size_t)side->most;
        if (channels == 3) {
            float r = 0, g = 0, b = 0;
            for (int t = 0; t < side->count[i]; t++, in += 3) {
                r += weight[t] * (float)in[0];
                g += weight[t] * (float)in[1];
                b += weight[t] * (float)in[2];
            }
            out[0] = r, out[1] = g, out[2] = b;
            continue;
        }
        for (int c = 0; c < channels; c++) {
            float sum = 0;
            for (int t = 0; t < side->count[i]; t++)
                sum += weight[t] * (float)in[t * channels + c];
            out[c] = sum;
        }
    }
}

void resize(struct resizer *resizer, const struct picture *picture,
            const struct window *window, int height, int width, float *image)
{
    struct side *down = &resizer->down, *across = &resizer->across;
    int channels = picture->channels, end = picture->first + picture->rows;
    size_t row = (size_t)width * (size_t)channels;
    side_plan(down, window->top, window->height, end, height);
    side_plan(across, window->left, window->width, picture->width, width);
    int first = down->start[0], last = first;
    for (int i = 0; i < height; i++)
        if (down->start[i] + down->count[i] > last)
            last = down->start[i] + down->count[i];
    BUG_IF(first < picture->first || last > end);
    if ((size_t)(last - first) * row > resizer->rows_capacity) {
        resizer->rows_capacity = (size_t)(last - first) * row;
        resizer->rows =
            memory_resized(resizer->rows, resizer->rows_capacity, sizeof(float));
    }
    for (int y = first; y < last; y++)
        shrink_row(across,
                   picture->pixel + (size_t)(y - picture->first) *
                                        (size_t)picture->width * (size_t)channels,
                   channels, width, resizer->rows + (size_t)(y - first) * row);
    for (int i = 0; i < height; i++) {
        const float *weight = down->weight + (size_t)i * (size_t)down->most;
        const float *in = resizer->rows + (size_t)(down->start[i] - first) * row;
        float *out = image + (size_t)i * row;
        for (size_t j = 0; j < row; j++)
            out[j] = weight[0] * in[j];
        for (int t = 1; t < down->count[i]; t++)
            for (size_t j = 0; j < row; j++)
                out[j] += weight[t] * in[(size_t)t * row + j];
    }
}
