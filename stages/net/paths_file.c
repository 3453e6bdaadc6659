/* paths_file.c - see paths_file.h. */
#include "net/paths_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "base/memory.h"

void space_save(struct artifact *artifact, const struct space *space)
{
    const char *token[SPACE_OPS_MAX];
    for (int o = 0; o < space->n_ops; o++)
        token[o] = space->op[o].token;
    artifact_write_vector(artifact, "space/ops", ARRAY_TEXT, (size_t)space->n_ops,
                          token, "1",
                          "the choices of every layer; paths are indices into it");
    int channels[SPACE_LAYERS_MAX], stride[SPACE_LAYERS_MAX];
    for (int l = 0; l < space->n_layers; l++) {
        channels[l] = space->layer[l].k;
        stride[l] = space->layer[l].stride;
    }
    artifact_write_vector(artifact, "space/channels", ARRAY_I32,
                          (size_t)space->n_layers, channels, "channels",
                          "output channels of every layer");
    artifact_write_vector(artifact, "space/stride", ARRAY_I32, (size_t)space->n_layers,
                          stride, "pixels", "stride of every layer");
    artifact_describe(
        artifact, "space",
        "the search space: what the layers are, and what each chooses from");
}

void space_check(struct artifact *artifact, const struct space *space)
{
    size_t n, shape[ARTIFACT_RANK_MAX];
    char **token = artifact_read_texts(artifact, "space/ops", &n);
    if (!token || n != (size_t)space->n_ops)
        die("'%s': its space has %zu choices a layer, expected %d",
            artifact_path(artifact), token ? n : 0, space->n_ops);
    for (int o = 0; o < space->n_ops; o++)
        if (strcmp(token[o], space->op[o].token) != 0)
            die("'%s': choice %d of its space is '%s', expected '%s'",
                artifact_path(artifact), o, token[o], space->op[o].token);
    free(token);
    int rank = artifact_shape(artifact, "space/channels", shape);
    if (rank != 1 || shape[0] != (size_t)space->n_layers)
        die("'%s': its space has %zu layers, expected %d", artifact_path(artifact),
            rank == 1 ? shape[0] : 0, space->n_layers);
    int channels[SPACE_LAYERS_MAX], stride[SPACE_LAYERS_MAX];
    artifact_read(artifact, "space/channels", ARRAY_I32, 1, shape, channels);
    artifact_read(artifact, "space/stride", ARRAY_I32, 1, shape, stride);
    for (int l = 0; l < space->n_layers; l++)
        if (channels[l] != space->layer[l].k || stride[l] != space->layer[l].stride)
            die("'%s': layer %d of its space has %d channels and stride %d, expected "
                "%d and %d",
                artifact_path(artifact), l, channels[l], stride[l], space->layer[l].k,
                space->layer[l].stride);
}

void paths_save(struct artifact *artifact, const char *name, const struct path *path,
                size_t n, const char *description)
{
    size_t layers = n ? path[0].n : 0;
    unsigned char *op = memory_zeroed(n * layers + 1, 1);
    for (size_t i = 0; i < n; i++)
        memcpy(op + i * layers, path[i].op, layers);
    artifact_write(artifact, name, ARRAY_U8, 2, (size_t[]){n, layers}, op, "index",
                   description);
    free(op);
}

/* The length of a vector of the space that the artifact's paths belong to. */
static size_t space_length(struct artifact *artifact, const char *vector)
{
    size_t shape[ARTIFACT_RANK_MAX];
    if (artifact_shape(artifact, vector, shape) != 1)
        die("'%s': no vector '%s', expected one beside its paths",
            artifact_path(artifact), vector);
    return shape[0];
}

static void check_ops(struct artifact *artifact, const char *name,
                      const unsigned char *op, size_t n, size_t layers)
{
    size_t ops = space_length(artifact, "space/ops"),
           expected = space_length(artifact, "space/channels");
    if (layers != expected)
        die("'%s': '%s' has paths of %zu layers, expected %zu", artifact_path(artifact),
            name, layers, expected);
    for (size_t i = 0; i < n * layers; i++)
        if (op[i] >= ops)
            die("'%s': path %zu of '%s' has choice %d in layer %zu, expected 0 to %zu",
                artifact_path(artifact), i / layers, name, op[i], i % layers, ops - 1);
}

size_t paths_load(struct artifact *artifact, const char *name, struct path **path)
{
    size_t shape[ARTIFACT_RANK_MAX];
    int rank = artifact_shape(artifact, name, shape);
    if (rank != 2 || shape[1] > SPACE_LAYERS_MAX)
        die("'%s': '%s' is not a list of paths of at most %d layers",
            artifact_path(artifact), name, SPACE_LAYERS_MAX);
    size_t n = shape[0], layers = shape[1];
    unsigned char *op = memory_zeroed(n * layers + 1, 1);
    artifact_read(artifact, name, ARRAY_U8, 2, shape, op);
    if (n)
        check_ops(artifact, name, op, n, layers);
    *path = memory_zeroed(n + 1, sizeof(**path));
    for (size_t i = 0; i < n; i++) {
        (*path)[i].n = (uint8_t)layers;
        memcpy((*path)[i].op, op + i * layers, layers);
    }
    free(op);
    return n;
}
