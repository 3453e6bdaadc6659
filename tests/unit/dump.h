/*
 * dump.h - arrays and words as lines of text, for a second opinion from Python
 * (tests/cli/torch_compare.py): `array NAME SIZES : NUMBERS`, `KEY WORDS`.
 */
#ifndef UNIT_DUMP_H
#define UNIT_DUMP_H

#include <stdio.h>

#include "net/block.h"
#include "unit/tensors.h"

static inline void dump_floats(FILE *out, const char *name, int rank,
                               const size_t *shape, const float *dense)
{
    size_t count = 1;
    fprintf(out, "array %s", name);
    for (int i = 0; i < rank; i++) {
        fprintf(out, " %zu", shape[i]);
        count *= shape[i];
    }
    fputs(" :", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, " %.9g", (double)dense[i]);
    fputc('\n', out);
}

/* [n, h, w, c] without the padding. */
static inline void dump_tensor(FILE *out, const char *name, struct shape s,
                               const float *x)
{
    const size_t padded = channels_padded(s.c), c = (size_t)s.c;
    float *dense = memory_zeroed(shape_pixels(s) * c, sizeof(*dense));
    for (size_t i = 0; i < shape_pixels(s); i++)
        memcpy(dense + i * c, x + i * padded, c * sizeof(*dense));
    dump_floats(out, name, 4,
                (size_t[]){(size_t)s.n, (size_t)s.h, (size_t)s.w, (size_t)s.c}, dense);
    free(dense);
}

/* One named array of a layout, as "PREFIX/NAME"; values: where offset `base` lies. */
static inline void dump_array(FILE *out, const char *prefix,
                              const struct layout_array *a, const float *values,
                              size_t base)
{
    char name[2 * LAYOUT_NAME_SIZE];
    struct layout_array moved = *a;
    float *dense = memory_zeroed(layout_dense_floats(a), sizeof(*dense));
    snprintf(name, sizeof(name), "%s/%s", prefix, a->name);
    moved.offset = a->offset - base;
    layout_gather(&moved, values, dense);
    dump_floats(out, name, a->rank, a->shape, dense);
    free(dense);
}

static inline void dump_block(FILE *out, const struct block *b)
{
    static const char *const kinds[] = {[OP_IDENTITY] = "identity",
                                        [OP_MBCONV] = "mbconv",
                                        [OP_SHUFFLE] = "shuffle",
                                        [OP_XCEPTION] = "xception"};
    fprintf(out, "block %s %s %d %d %d %d %d %s %s %s\n", b->name, kinds[b->op.kind],
            b->op.kernel, b->op.expansion, b->place.stride, b->place.c, b->place.k,
            activation_name(b->act), activation_name(b->se_act),
            activation_name(b->se_gate));
}

#endif
