#include "nas/space.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/die.h"

/* Padding is kernel / 2. */
static int output_size(int input, int kernel, int stride)
{
    return (input + 2 * (kernel / 2) - kernel) / stride + 1;
}

/* What follows a block of this output, k channels wide. The kernel does not matter: for
 * odd kernels, (h + 2 * (r / 2) - r) / s + 1 = (h - 1) / s + 1. */
static struct block_place place_after(const struct block_place *before, int k,
                                      int stride)
{
    return (struct block_place){
        .h = before->p,
        .w = before->q,
        .c = before->k,
        .p = output_size(before->p, 1, stride),
        .q = output_size(before->q, 1, stride),
        .k = k,
        .stride = stride,
    };
}

static void parse_or_bug(const char *token, struct op *op)
{
    if (!op_parse(token, op))
        BUG("'%s' is not an op", token);
}

static struct block_place place_stem(struct space *space,
                                     const struct space_config *cfg)
{
    int kernel = cfg->stem.kernel, stride = cfg->stem.stride;
    BUG_IF(kernel % 2 == 0 || stride < 1);
    space->stem_kernel = kernel;
    space->stem = (struct block_place){
        .h = space->h,
        .w = space->w,
        .c = space->c,
        .p = output_size(space->h, kernel, stride),
        .q = output_size(space->w, kernel, stride),
        .k = cfg->stem.channels,
        .stride = stride,
    };
    return space->stem;
}

static struct block_place place_fixed(struct space *space,
                                      const struct space_config *cfg,
                                      struct block_place last)
{
    for (int i = 0; i < cfg->n_fixed; i++) {
        const struct fixed_config *fixed = &cfg->fixed[i];
        for (int r = 0; r < fixed->repeat; r++) {
            BUG_IF(space->n_fixed == SPACE_LAYERS_MAX);
            struct fixed_block *block = &space->fixed[space->n_fixed++];
            parse_or_bug(fixed->op, &block->op);
            last = place_after(&last, fixed->channels, r == 0 ? fixed->stride : 1);
            block->place = last;
        }
    }
    return last;
}

static struct block_place place_layers(struct space *space,
                                       const struct space_config *cfg,
                                       struct block_place last)
{
    for (int i = 0; i < cfg->n_stages; i++) {
        const struct space_stage_config *stage = &cfg->stages[i];
        for (int r = 0; r < stage->repeat; r++) {
            BUG_IF(space->n_layers == SPACE_LAYERS_MAX);
            last = place_after(&last, stage->channels, r == 0 ? stage->stride : 1);
            space->layer_stage[space->n_layers] = i;
            space->layer[space->n_layers++] = last;
        }
    }
    return last;
}

void space_init(struct space *space, const struct space_config *config)
{
    *space = (struct space){
        .h = config->input[0],
        .w = config->input[1],
        .c = config->input[2],
        .classes = config->classes,
        .head_channels = config->head.channels,
        .classifier_bias = config->head.bias,
        .se_ratio = config->squeeze_excite.ratio,
        .se_of_input = strcmp(config->squeeze_excite.of, "input") == 0,
    };
    struct block_place last = place_stem(space, config);
    last = place_fixed(space, config, last);
    last = place_layers(space, config, last);
    space->head_h = last.p;
    space->head_w = last.q;
    space->head_c = last.k;

    BUG_IF(config->n_choices < 1 || config->n_choices > SPACE_OPS_MAX);
    BUG_IF(space->n_layers < 1);
    space->n_ops = config->n_choices;
    for (int i = 0; i < config->n_choices; i++)
        parse_or_bug(config->choices[i], &space->op[i]);
}

/* Digits without a leading zero, so that each op has one spelling; 0 if there are none.
 */
static int read_number(const char **text)
{
    int number = 0, digits = 0;
    if (**text == '0')
        return 0;
    for (; **text >= '0' && **text <= '9' && digits < 4; (*text)++, digits++)
        number = 10 * number + (**text - '0');
    return number;
}

static bool kernel_known(int kernel)
{
    return kernel == 3 || kernel == 5 || kernel == 7;
}

static bool parse_mbconv(const char *token, struct op *op)
{
    op->kind = OP_MBCONV;
    if (*token++ != 'k')
        return false;
    op->kernel = read_number(&token);
    if (*token++ != 'e')
        return false;
    op->expansion = read_number(&token);
    op->squeeze_excite = *token == 's';
    token += op->squeeze_excite;
    return *token == '\0' && kernel_known(op->kernel) && op->expansion >= 1;
}

bool op_parse(const char *token, struct op *op)
{
    static const char shuffle[] = "shuffle";
    *op = (struct op){.kind = OP_IDENTITY};
    if (strlen(token) >= OP_TOKEN_SIZE)
        return false;
    strcpy(op->token, token);
    if (strcmp(token, "id") == 0)
        return true;
    if (strcmp(token, "xception") == 0) {
        op->kind = OP_XCEPTION;
        op->kernel = 3;
        return true;
    }
    if (strncmp(token, shuffle, strlen(shuffle)) == 0) {
        op->kind = OP_SHUFFLE;
        token += strlen(shuffle);
        op->kernel = read_number(&token);
        return *token == '\0' && kernel_known(op->kernel);
    }
    return parse_mbconv(token, op);
}

int op_expanded_channels(const struct op *op, int c_in)
{
    return op->expansion * c_in;
}

int space_se_channels(const struct space *space, const struct op *op, int c_in)
{
    if (!op->squeeze_excite)
        return 0;
    int width = space->se_of_input ? c_in : op_expanded_channels(op, c_in);
    int channels = (int)(space->se_ratio * width);
    return channels < 1 ? 1 : channels;
}

bool block_keeps_shape(const struct block_place *place)
{
    return place->stride == 1 && place->c == place->k;
}

double space_size(const struct space *space)
{
    return pow(space->n_ops, space->n_layers);
}
