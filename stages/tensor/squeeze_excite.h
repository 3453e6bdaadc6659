/*
 * squeeze_excite.h - a gate per image and channel (Hu et al., 2018).
 *
 * pooled = mean over pixels of a; hidden = act(w1 pooled + b1); gate = gate_act(w2
 * hidden
 * + b2). The consumer multiplies by the gate as it reads (struct source). w1 [r][padded
 * c], b1 [padded r], w2 [c][padded r], b2 [padded c].
 */
#ifndef TENSOR_SQUEEZE_EXCITE_H
#define TENSOR_SQUEEZE_EXCITE_H

#include "tensor/tensor.h"

struct squeeze_excite {
    int reduced; /* r */
    enum activation act, gate_act;
    const float *w1, *b1, *w2, *b2;
};

/* What forward leaves for backward; per image, rows padded. */
struct squeeze_excite_saved {
    float *pooled;     /* [n][padded c] */
    float *hidden_pre; /* [n][padded r]: before act */
    float *gate_pre;   /* [n][padded c]: before gate_act */
    float *gate;       /* [n][padded c]; zero in the padding */
};

struct squeeze_excite_gradient {
    float *dw1, *db1, *dw2, *db2; /* overwritten */
};

/* x without its gate. Fills `saved`. */
void squeeze_excite_forward(struct shape in, const struct source *x,
                            const struct squeeze_excite *se,
                            const struct squeeze_excite_saved *saved,
                            struct arena *scratch);
/*
 * sink->gate_sum is dgate (from pointwise_backward), sink->g the gradient of the gated
 * input; leaves in sink->g the gradient with respect to BN's output,
 * (g*gate + dpooled/(h*w)) * act'(u), with its sums. x as given to pointwise_backward
 * (its gate is ignored).
 */
void squeeze_excite_backward(struct shape in, const struct source *x,
                             const struct squeeze_excite *se,
                             const struct squeeze_excite_saved *saved,
                             const struct squeeze_excite_gradient *gradient,
                             const struct sink *dx, struct arena *scratch);
size_t squeeze_excite_scratch(struct shape in, int reduced);

#endif
