/*
 * classifier.h - the linear layer and the loss.
 *
 * x [n][padded c], w [classes][padded c], b [padded classes], logits [n][padded
 * classes]. OpenBLAS, one thread a chunk of images.
 */
#ifndef TENSOR_CLASSIFIER_H
#define TENSOR_CLASSIFIER_H

#include "tensor/tensor.h"

/* b NULL: there is no bias. */
void linear_forward(int n, int c, int classes, const float *x, const float *w,
                    const float *b, float *logits);
/* dw, db, dx are overwritten; db, dx NULL: not wanted. */
void linear_backward(int n, int c, int classes, const float *dlogits, const float *x,
                     const float *w, float *dw, float *db, float *dx,
                     struct arena *scratch);
size_t linear_scratch(int n, int c, int classes);

/*
 * Softmax cross-entropy with label smoothing s: the target is 1 - s + s/classes for the
 * label and s/classes elsewhere. loss[i] per image (smoothing included); hit[i] =
 * whether the label has the largest logit (the lower index wins a tie). dlogits =
 * gradient of the *mean* loss over n, padding zero. loss, hit, dlogits may each be
 * NULL. A NaN among the logits gives a NaN loss and no hit.
 */
void cross_entropy(int n, int classes, const float *logits, const int *labels,
                   double smoothing, double *loss, unsigned char *hit, float *dlogits);

#endif
