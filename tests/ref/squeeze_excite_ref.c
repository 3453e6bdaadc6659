#include "ref/squeeze_excite_ref.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ref/act_ref.h"
#include "ref/global_pool_ref.h"

/* One image's values, on their way up. */
struct values {
    double *pooled, *hidden_pre, *gate_pre;
};

static struct values new_values(struct shape in, int reduced)
{
    return (struct values){memory_zeroed(channels_padded(in.c), sizeof(double)),
                           memory_zeroed(channels_padded(reduced), sizeof(double)),
                           memory_zeroed(channels_padded(in.c), sizeof(double))};
}

static void free_values(struct values *v)
{
    free(v->pooled);
    free(v->hidden_pre);
    free(v->gate_pre);
}

/* The image's part of a tensor or source. */
static struct source_ref image_of(struct shape in, const struct source_ref *x, int n)
{
    struct source_ref image = *x;
    image.z = x->z + ref_at(in, n, 0, 0, 0);
    image.gate = NULL;
    return image;
}

static void climb(struct shape in, const struct source_ref *image,
                  const struct squeeze_excite_ref *se, const struct values *v)
{
    const struct shape one = {1, in.h, in.w, in.c};
    const size_t padded_c = channels_padded(in.c),
                 padded_r = channels_padded(se->reduced);
    global_pool_ref_forward(one, image, v->pooled);
    for (int r = 0; r < se->reduced; r++) {
        v->hidden_pre[r] = se->b1[r];
        for (int c = 0; c < in.c; c++)
            v->hidden_pre[r] += se->w1[(size_t)r * padded_c + (size_t)c] * v->pooled[c];
    }
    for (int c = 0; c < in.c; c++) {
        v->gate_pre[c] = se->b2[c];
        for (int r = 0; r < se->reduced; r++)
            v->gate_pre[c] += se->w2[(size_t)c * padded_r + (size_t)r] *
                              act_ref(se->act, v->hidden_pre[r]);
    }
}

void squeeze_excite_ref_forward(struct shape in, const struct source_ref *x,
                                const struct squeeze_excite_ref *se, double *gate)
{
    struct values v = new_values(in, se->reduced);
    memset(gate, 0, (size_t)in.n * channels_padded(in.c) * sizeof(*gate));
    for (int n = 0; n < in.n; n++) {
        const struct source_ref image = image_of(in, x, n);
        climb(in, &image, se, &v);
        for (int c = 0; c < in.c; c++)
            gate[(size_t)n * channels_padded(in.c) + (size_t)c] =
                act_ref(se->gate_act, v.gate_pre[c]);
    }
    free_values(&v);
}

/* dgate [c] of one image -> dpooled [c], and the weights' gradients are added to. */
static void descend(struct shape in, const double *dgate,
                    const struct squeeze_excite_ref *se, const struct values *v,
                    const struct squeeze_excite_ref_gradient *gradient, double *dpooled)
{
    const size_t padded_c = channels_padded(in.c),
                 padded_r = channels_padded(se->reduced);
    memset(dpooled, 0, padded_c * sizeof(*dpooled));
    for (int r = 0; r < se->reduced; r++) {
        double dhidden = 0;
        for (int c = 0; c < in.c; c++) {
            const size_t at = (size_t)c * padded_r + (size_t)r;
            const double d = dgate[c] * act_ref_gradient(se->gate_act, v->gate_pre[c]);
            dhidden += d * se->w2[at];
            gradient->dw2[at] += d * act_ref(se->act, v->hidden_pre[r]);
            if (r == 0)
                gradient->db2[c] += d;
        }
        dhidden *= act_ref_gradient(se->act, v->hidden_pre[r]);
        gradient->db1[r] += dhidden;
        for (int c = 0; c < in.c; c++) {
            const size_t at = (size_t)r * padded_c + (size_t)c;
            gradient->dw1[at] += dhidden * v->pooled[c];
            dpooled[c] += dhidden * se->w1[at];
        }
    }
}

static void image_backward(struct shape in, int n, const double *da,
                           const struct source_ref *image,
                           const struct squeeze_excite_ref *se, const struct values *v,
                           const struct squeeze_excite_ref_gradient *gradient,
                           double *ungated)
{
    const struct shape one = {1, in.h, in.w, in.c};
    double *dgate = memory_zeroed(channels_padded(in.c), sizeof(double));
    double *dpooled = memory_zeroed(channels_padded(in.c), sizeof(double));
    climb(in, image, se, v);
    for (int h = 0; h < in.h; h++)
        for (int w = 0; w < in.w; w++)
            for (int c = 0; c < in.c; c++)
                dgate[c] += da[ref_at(in, n, h, w, c)] *
                            source_ref_value(one, image, 0, h, w, c);
    descend(in, dgate, se, v, gradient, dpooled);
    for (int h = 0; h < in.h; h++)
        for (int w = 0; w < in.w; w++)
            for (int c = 0; c < in.c; c++) {
                const size_t at = ref_at(in, n, h, w, c);
                ungated[at] = da[at] * act_ref(se->gate_act, v->gate_pre[c]) +
                              dpooled[c] / (in.h * in.w);
            }
    free(dgate);
    free(dpooled);
}

void squeeze_excite_ref_backward(struct shape in, const double *da,
                                 const struct source_ref *x,
                                 const struct squeeze_excite_ref *se,
                                 const struct squeeze_excite_ref_gradient *gradient,
                                 const struct sink_ref *dx)
{
    const size_t padded_c = channels_padded(in.c),
                 padded_r = channels_padded(se->reduced);
    struct values v = new_values(in, se->reduced);
    double *ungated = memory_zeroed(shape_floats(in), sizeof(double));
    memset(gradient->dw1, 0, (size_t)se->reduced * padded_c * sizeof(double));
    memset(gradient->db1, 0, padded_r * sizeof(double));
    memset(gradient->dw2, 0, (size_t)in.c * padded_r * sizeof(double));
    memset(gradient->db2, 0, padded_c * sizeof(double));
    for (int n = 0; n < in.n; n++) {
        const struct source_ref image = image_of(in, x, n);
        image_backward(in, n, da, &image, se, &v, gradient, ungated);
    }
    struct source_ref plain_gate = *x;
    plain_gate.gate = NULL;
    sink_ref_put(in, &plain_gate, ungated, dx);
    free(ungated);
    free_values(&v);
}
