/* squeeze_excite_ref.h - the gate in double (squeeze_excite.h). */
#ifndef REF_SQUEEZE_EXCITE_REF_H
#define REF_SQUEEZE_EXCITE_REF_H

#include "ref/operands_ref.h"

struct squeeze_excite_ref {
    int reduced;
    enum activation act, gate_act;
    const double *w1, *b1, *w2, *b2;
};

struct squeeze_excite_ref_gradient {
    double *dw1, *db1, *dw2, *db2;
};

/* gate [n][padded c], from x without its gate. */
void squeeze_excite_ref_forward(struct shape in, const struct source_ref *x,
                                const struct squeeze_excite_ref *se, double *gate);
/* da: the gradient of the gated input a * gate(a), like the tensor; the gradient of a
 * goes to the sink (which has no gate_sum), both ways of it. */
void squeeze_excite_ref_backward(struct shape in, const double *da,
                                 const struct source_ref *x,
                                 const struct squeeze_excite_ref *se,
                                 const struct squeeze_excite_ref_gradient *gradient,
                                 const struct sink_ref *dx);

#endif
