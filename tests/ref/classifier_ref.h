/* classifier_ref.h - linear layer and loss as obvious loops in double (classifier.h).
 */
#ifndef REF_CLASSIFIER_REF_H
#define REF_CLASSIFIER_REF_H

void linear_ref_forward(int n, int c, int classes, const double *x, const double *w,
                        const double *b, double *logits);
/* All three gradients. */
void linear_ref_backward(int n, int c, int classes, const double *dlogits,
                         const double *x, const double *w, double *dw, double *db,
                         double *dx);
/* The loss of each image, and the gradient of their mean. */
void cross_entropy_ref(int n, int classes, const double *logits, const int *labels,
                       double smoothing, double *loss, double *dlogits);

#endif
