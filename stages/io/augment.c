#include "io/augment.h"

#include <math.h>
#include <string.h>

/* So often a crop is drawn that may not fit; then it is the largest in the middle. */
enum { ATTEMPTS = 10 };

static double between(struct rng *rng, double least, double most)
{
    return least + (most - least) * rng_uniform(rng);
}

/* The largest in the middle whose proportions are allowed. */
static struct window fallback(double aspect, int height, int width)
{
    double ratio = (double)width / height;
    double allowed = ratio < aspect ? aspect : ratio > 1 / aspect ? 1 / aspect : ratio;
    struct window window = {.height = height, .width = width};
    if (allowed > ratio)
        window.height = round(width / allowed);
    else if (allowed < ratio)
        window.width = round(height * allowed);
    window.height = window.height < 1 ? 1 : window.height;
    window.width = window.width < 1 ? 1 : window.width;
    window.top = floor((height - window.height) / 2);
    window.left = floor((width - window.width) / 2);
    return window;
}

/* Area uniform, proportions uniform in their logarithm, place uniform. */
static struct window draw_window(const struct augment_config *config, struct rng *rng,
                                 int height, int width)
{
    double aspect = config->crop_aspect;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        double area = between(rng, config->crop_area, 1) * height * width;
        double ratio = exp(between(rng, log(aspect), -log(aspect)));
        double w = round(sqrt(area * ratio)), h = round(sqrt(area / ratio));
        if (w < 1 || h < 1 || w > width || h > height)
            continue;
        struct window window = {.height = h, .width = w};
        window.top = rng_below(rng, (uint32_t)(height - (int)h + 1));
        window.left = rng_below(rng, (uint32_t)(width - (int)w + 1));
        return window;
    }
    return fallback(aspect, height, width);
}

struct augmentation augment_draw(const struct augment_config *config, struct rng rng,
                                 int picture_height, int picture_width)
{
    /* These three first, wanted or not: runs that know of nothing else stay the same.
     */
    uint32_t places = 2 * (uint32_t)config->pad_crop + 1;
    struct augmentation result = {.crop = config->crop_area > 0};
    result.down = config->pad_crop - (int)rng_below(&rng, places);
    result.right = config->pad_crop - (int)rng_below(&rng, places);
    result.flip = rng_below(&rng, 2) && config->flip;
    if (result.crop)
        result.window = draw_window(config, &rng, picture_height, picture_width);
    result.brightness = between(&rng, 1 - config->brightness, 1 + config->brightness);
    result.contrast = between(&rng, 1 - config->contrast, 1 + config->contrast);
    result.saturation = between(&rng, 1 - config->saturation, 1 + config->saturation);
    return result;
}

bool augment_colours(const struct augmentation *augmentation)
{
    return augmentation->brightness != 1 || augmentation->contrast != 1 ||
           augmentation->saturation != 1;
}

void augment_move(const struct augmentation *augmentation, int height, int width,
                  int channels, const float *in, float *out)
{
    size_t size = (size_t)channels * sizeof(float);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, out += channels) {
            int from_y = y - augmentation->down;
            int from_x = (augmentation->flip ? width - 1 - x : x) - augmentation->right;
            if (from_y < 0 || from_y >= height || from_x < 0 || from_x >= width)
                memset(out, 0, size);
            else
                memcpy(out,
                       in + ((size_t)from_y * (size_t)width + (size_t)from_x) *
                                (size_t)channels,
                       size);
        }
}

static float grey_of(const float *pixel, int channels)
{
    if (channels == 3)
        return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
    float sum = 0;
    for (int c = 0; c < channels; c++)
        sum += pixel[c];
    return sum / (float)channels;
}

static float mixed(float value, float with, float factor)
{
    float result = factor * value + (1 - factor) * with;
    return result < 0 ? 0 : result > 255 ? 255 : result;
}

void augment_jitter(const struct augmentation *augmentation, int n, int channels,
                    float *image)
{
    size_t size = (size_t)n * (size_t)channels;
    double sum = 0;
    for (size_t i = 0; i < size; i++)
        image[i] = mixed(image[i], 0, (float)augmentation->brightness);
    for (int i = 0; i < n; i++)
        sum += (double)grey_of(image + (size_t)i * (size_t)channels, channels);
    for (size_t i = 0; i < size; i++)
        image[i] = mixed(image[i], (float)(sum / n), (float)augmentation->contrast);
    for (int i = 0; channels == 3 && i < n; i++) {
        float *pixel = image + (size_t)i * 3, grey = grey_of(pixel, 3);
        for (int c = 0; c < 3; c++)
            pixel[c] = mixed(pixel[c], grey, (float)augmentation->saturation);
    }
}
