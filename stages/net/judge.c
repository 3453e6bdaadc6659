/* judge.c - see judge.h. */
#include "net/judge.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

/* Classes whose logits come before the given one's. */
static int classes_before(int classes, const float *logit, int class)
{
    int before = 0;
    for (int k = 0; k < classes; k++)
        before += logit[k] > logit[class] || (logit[k] == logit[class] && k < class);
    return before;
}

static int predicted_class(int classes, const float *logit)
{
    int best = 0;
    for (int k = 1; k < classes; k++)
        if (logit[k] > logit[best])
            best = k;
    return best;
}

void judgement_add(struct judgement *judgement, int classes, int n, const int *labels,
                   const float *logits, const double *loss)
{
    size_t row = channels_padded(classes);
    for (int i = 0; i < n; i++) {
        const float *logit = logits + (size_t)i * row;
        int before = classes_before(classes, logit, labels[i]);
        bool known = isfinite(loss[i]); /* else some logit is not a number */
        judgement->top1 += known && before < 1;
        judgement->top5 += known && before < 5;
        judgement->loss += loss[i];
        if (judgement->confusion)
            judgement->confusion[(size_t)labels[i] * (size_t)classes +
                                 (size_t)predicted_class(classes, logit)]++;
    }
    judgement->images += n;
}

double judgement_top1(const struct judgement *judgement)
{
    return judgement->images ? (double)judgement->top1 / (double)judgement->images
                             : (double)NAN;
}

double judgement_top5(const struct judgement *judgement)
{
    return judgement->images ? (double)judgement->top5 / (double)judgement->images
                             : (double)NAN;
}

double judgement_loss(const struct judgement *judgement)
{
    return judgement->images ? judgement->loss / (double)judgement->images
                             : (double)NAN;
}

struct judge {
    const struct dataset *dataset;
    struct inference *inference;
    int batch;
    int *index, *labels;
    float *images;
};

struct judge *judge_create(const struct supernet *net, const struct path *path,
                           const struct dataset *dataset, int batch)
{
    struct judge *judge = memory_zeroed(1, sizeof(*judge));
    const struct space *s = &net->space;
    size_t image = (size_t)s->h * (size_t)s->w * (size_t)s->c;
    judge->dataset = dataset;
    judge->batch = batch;
    judge->inference = inference_create(net, path, batch);
    judge->index = memory_zeroed((size_t)batch, sizeof(int));
    judge->labels = memory_zeroed((size_t)batch, sizeof(int));
    judge->images = memory_zeroed((size_t)batch * image, sizeof(float));
    return judge;
}

void judge_free(struct judge *judge)
{
    if (!judge)
        return;
    inference_free(judge->inference);
    free(judge->index);
    free(judge->labels);
    free(judge->images);
    free(judge);
}

void judge_refresh(struct judge *judge)
{
    inference_refresh(judge->inference);
}

bool judge_advance(struct judge *judge, enum split split, struct judgement *judgement)
{
    int64_t left = dataset_size(judge->dataset, split) - judgement->images;
    int n = left < judge->batch ? (int)left : judge->batch;
    if (n <= 0)
        return false;
    for (int i = 0; i < n; i++)
        judge->index[i] = (int)judgement->images + i;
    dataset_batch(judge->dataset, split, judge->index, n, judge->images, judge->labels);
    const struct head_tensors *result =
        inference_run(judge->inference, n, judge->images, judge->labels);
    judgement_add(judgement, dataset_classes(judge->dataset), n, judge->labels,
                  result->logits, result->loss);
    return true;
}
