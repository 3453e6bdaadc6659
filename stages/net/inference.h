/*
 * inference.h - a path as a finished network: BN applies its running statistics, so an
 * image's result does not depend on the others of its batch.
 *
 * For networks that are trained by themselves (retrain, evaluate) and for timing. A
 * supernet's running statistics are a mixture over paths: judge its paths with score.h.
 */
#ifndef NET_INFERENCE_H
#define NET_INFERENCE_H

#include "net/network.h"

struct inference;

/* For batches of at most `batch` images. Reads weights and statistics as they are now;
 * once they have changed, inference_refresh(). */
struct inference *inference_create(const struct supernet *net, const struct path *path,
                                   int batch);
void inference_free(struct inference *inference); /* NULL is allowed */
/* Another path of the same supernet from now on. */
void inference_choose(struct inference *inference, const struct path *path);
void inference_refresh(struct inference *inference);

/*
 * Forward of images [n,h,w,c], n <= batch. logits [n][padded classes]; with labels
 * (NULL: none) loss[n], without label smoothing, and hit[n] as well. The result stays
 * valid until the next call.
 */
const struct head_tensors *inference_run(struct inference *inference, int n,
                                         const float *images, const int *labels);

/*
 * The same, and how long each part took: seconds[0] the stem, then the path's blocks,
 * fixed ones first, the head's convolution if there is one, and last pooling and
 * classifier: inference_parts() of them.
 */
int inference_parts(const struct inference *inference);
const struct head_tensors *inference_run_timed(struct inference *inference, int n,
                                               const float *images, double *seconds);

#endif
