#include "io/contact_sheet.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"
#include "io/png.h"

enum { SIDE = CONTACT_SHEET_SIDE, GAP = 4, LEAST_TILE = 64, GROUND = 0x60 };

struct sheet {
    int height, width; /* of the page */
    unsigned char *pixel;
    int tile_height, tile_width, channels, scale; /* of an image, and how much larger */
};

static struct sheet sheet_create(const struct space_config *space, int rows)
{
    struct sheet sheet = {.tile_height = space->input[0],
                          .tile_width = space->input[1],
                          .channels = space->input[2]};
    sheet.scale = (LEAST_TILE + sheet.tile_width - 1) / sheet.tile_width;
    sheet.width = SIDE * (sheet.tile_width * sheet.scale + GAP) + GAP;
    /* Two gaps more between what is judged and what is trained on. */
    sheet.height = rows * (sheet.tile_height * sheet.scale + GAP) + 3 * GAP;
    size_t bytes = (size_t)sheet.height * (size_t)sheet.width * 3;
    sheet.pixel = memory_zeroed(bytes, 1);
    memset(sheet.pixel, GROUND, bytes);
    return sheet;
}

/* tile: [height, width, channels]; of other than three channels the first is shown. */
static void put(struct sheet *sheet, int row, int column, bool below,
                const unsigned char *tile)
{
    int scale = sheet->scale;
    int top = GAP + row * (sheet->tile_height * scale + GAP) + (below ? 2 * GAP : 0);
    int left = GAP + column * (sheet->tile_width * scale + GAP);
    for (int y = 0; y < sheet->tile_height * scale; y++)
        for (int x = 0; x < sheet->tile_width * scale; x++) {
            const unsigned char *from =
                tile + ((y / scale) * sheet->tile_width + x / scale) * sheet->channels;
            unsigned char *to =
                sheet->pixel +
                ((size_t)(top + y) * (size_t)sheet->width + (size_t)(left + x)) * 3;
            for (int c = 0; c < 3; c++)
                to[c] = from[sheet->channels == 3 ? c : 0];
        }
}

void contact_sheet_write(const char *path, struct dataset *dataset,
                         const struct space_config *space,
                         const struct augment_config *augment, uint64_t seed)
{
    int size = dataset_size(dataset, SPLIT_TRAIN);
    int n = size < SIDE * SIDE ? size : SIDE * SIDE;
    int judged = (n + SIDE - 1) / SIDE, varied = n < SIDE ? n : SIDE;
    size_t pixels =
        (size_t)space->input[0] * (size_t)space->input[1] * (size_t)space->input[2];
    struct sheet sheet = sheet_create(space, judged + varied);
    float *image = memory_zeroed(pixels, sizeof(float));
    unsigned char *tile = memory_zeroed(pixels, 1);
    char error[PNG_ERROR_SIZE];
    for (int i = 0; i < n; i++) {
        int index = dataset_training_index(dataset, seed, i), label;
        dataset_batch(dataset, SPLIT_TRAIN, &index, 1, image, &label);
        dataset_pixels(dataset, image, tile);
        put(&sheet, i / SIDE, i % SIDE, false, tile);
        for (int epoch = 0; i < varied && epoch < SIDE; epoch++) {
            dataset_augmented(dataset, augment, seed, (uint32_t)epoch, index, image);
            dataset_pixels(dataset, image, tile);
            put(&sheet, judged + i, epoch, true, tile);
        }
    }
    if (png_write(path, sheet.height, sheet.width, sheet.pixel, error))
        die("cannot write '%s': %s", path, error);
    free(sheet.pixel);
    free(image);
    free(tile);
}
