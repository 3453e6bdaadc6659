#include "tensor/pointwise.h"

#include "base/die.h"
#include "tensor/product.h"

static struct product product_of(struct shape in, int k, int stride,
                                 const struct source *x)
{
    BUG_IF(in.n < 1 || in.h < 1 || in.w < 1 || in.c < 1 || k < 1);
    BUG_IF(stride != 1 && stride != 2);
    return (struct product){.in = in, .k = k, .stride = stride, .x = x};
}

/* The gates' own activations are not zero at zero: they would fill the padding. */
static void check_source(const struct source *x)
{
    BUG_IF(!x->scale != !x->shift || (!x->scale && x->act != ACT_NONE));
    BUG_IF(x->act == ACT_SIGMOID || x->act == ACT_HSIGMOID);
}

static void check_sink(const struct source *x, const struct sink *dx)
{
    BUG_IF(!x->gate != !dx->gate_sum);
    BUG_IF(dx->add && (x->scale || x->gate));
    BUG_IF(!dx->gate_sum && (x->scale || dx->sum_g) && !dx->mean);
    BUG_IF(!dx->gate_sum && x->scale && !dx->sum_g);
    BUG_IF(!dx->gate_sum && !x->scale && dx->sum_g && !dx->z);
    BUG_IF(!dx->sum_g != !dx->sum_gz);
}

void pointwise_forward(struct shape in, int k, int stride, const struct source *x,
                       const float *w, float *z, const struct moments *moments,
                       struct arena *scratch)
{
    check_source(x);
    const struct product p = product_of(in, k, stride, x);
    product_forward(&p, w, z, moments, scratch);
}

void pointwise_backward(struct shape in, int k, int stride, const struct gradient *dz,
                        const struct source *x, const float *w, float *dw,
                        const struct sink *dx, struct arena *scratch)
{
    check_source(x);
    if (dx)
        check_sink(x, dx);
    const struct product p = product_of(in, k, stride, x);
    product_backward(&p, dz, w, dw, dx, scratch);
}

size_t pointwise_scratch(struct shape in, int k, int stride)
{
    const struct product p = product_of(in, k, stride, NULL);
    return product_scratch(&p);
}
