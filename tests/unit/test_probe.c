#include <omp.h>

#include "base/die.h"
#include "net/paths_file.h"
#include "net/probe.h"
#include "unit/child.h"
#include "unit/nets.h"
#include "unit/scratch.h"

static const struct artifact_origin origin = {
    .stage = "warmup", .config = "", .seed = 1, .threads = 1};

struct subject {
    struct space_config config;
    struct supernet *net;
    struct workspace *workspace;
    struct dataset *dataset;
    struct scorer *scorer;
};

/* A net whose weights are drawn anew each time. */
static struct subject new_subject(const char *data, size_t validation)
{
    struct subject s = {.config = tiny_config("k3e3 k5e6s id")};
    const char *file = scratch_path(data);
    if (!scratch_exists(file))
        write_dataset(file, &s.config, 8, validation);
    s.net = drawn_net(&s.config);
    s.workspace = workspace_create(s.net, 0, PROBE_IMAGES_MAX);
    s.dataset = dataset_open(file, &s.config);
    s.scorer = scorer_create(s.net, s.workspace, s.dataset, 8, PROBE_IMAGES_MAX);
    return s;
}

static void subject_release(struct subject *s)
{
    scorer_free(s->scorer);
    dataset_close(s->dataset);
    workspace_free(s->workspace);
    supernet_free(s->net);
}

static const char *const probed = "k5e6s id k3e3 k3e3";

static void save(struct subject *s, const char *file)
{
    struct artifact *artifact = artifact_create(scratch_path(file), &origin);
    struct path path = path_of(s->net, probed);
    space_save(artifact, &s->net->space);
    supernet_save(s->net, artifact, false);
    probe_save(s->scorer, &path, 5, artifact);
    artifact_commit(artifact);
}

static int save_for_children(void **state)
{
    omp_set_num_threads(1);
    if (scratch_setup(state))
        return -1;
    struct subject s = new_subject("data.h5", 40);
    save(&s, "net.h5");
    subject_release(&s);
    return 0;
}

static void weights_that_arrive_as_saved_pass(void **state)
{
    (void)state;
    struct subject s = new_subject("data.h5", 40);
    struct artifact *artifact = artifact_open(scratch_path("net.h5"), NULL);
    supernet_load(s.net, artifact, false);
    probe_check(s.scorer, artifact);
    artifact_close(artifact);
    subject_release(&s);
}

static void at_most_64_validation_images_are_probed(void **state)
{
    (void)state;
    static const size_t validation[] = {40, 100};
    static const char *const data[] = {"data.h5", "many.h5"};
    for (int i = 0; i < 2; i++) {
        struct subject s = new_subject(data[i], validation[i]);
        save(&s, "probe.h5");
        struct artifact *artifact = artifact_open(scratch_path("probe.h5"), NULL);
        assert_int_equal(artifact_read_i64(artifact, "probe/images"), i ? 64 : 40);
        probe_check(s.scorer, artifact);
        artifact_close(artifact);
        subject_release(&s);
    }
}

/* Scales one array after loading, or judges by other images. */
struct damage {
    const char *array, *data;
    float factor;
};

static int check_damaged(const void *argument)
{
    const struct damage *d = argument;
    struct subject s = new_subject(d->data, 40);
    struct artifact *artifact = artifact_open(scratch_path("net.h5"), NULL);
    supernet_load(s.net, artifact, false);
    for (int i = 0; i < s.net->weight_layout.n; i++) {
        const struct layout_array *a = &s.net->weight_layout.array[i];
        if (!strcmp(a->name, d->array))
            for (size_t j = 0; j < a->rows * a->stride; j++)
                s.net->weights[a->offset + j] *= d->factor;
    }
    probe_check(s.scorer, artifact);
    artifact_close(artifact);
    subject_release(&s);
    return 0;
}

/* BN takes the scale of a convolution's weight away again: so gamma and SE it is. */
static void a_scaled_array_or_other_images_are_noticed(void **state)
{
    (void)state;
    static const struct damage damages[] = {
        {"shared/stem/gamma", "data.h5", 1.5f},
        {"layer00/k5e6s/depthwise/beta", "data.h5", 2},
        {"layer00/k5e6s/se/expand_weight", "data.h5", 3},
        {"layer02/k3e3/project/gamma", "data.h5", 0.5f},
        {"shared/classifier/weight", "data.h5", 1.1f},
        {"shared/stem/weight", "data.h5", NAN},
        {"", "other.h5", 1},
    };
    for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
        struct child child = child_run(check_damaged, &damages[i]);
        if (child.code != EXIT_FAILED ||
            !strstr(child.err, "the probe path has loss") ||
            !strstr(child.err, "other data, or a broken kernel"))
            fail_msg("'%s', '%s': exit code %d, expected 1; '%s'", damages[i].array,
                     damages[i].data, child.code, child.err);
    }
}

static void an_array_that_is_not_on_the_probed_path_is_not_noticed(void **state)
{
    (void)state;
    const struct damage elsewhere = {"layer00/k3e3/project/gamma", "data.h5", 3};
    assert_int_equal(child_run(check_damaged, &elsewhere).code, EXIT_COMPLETE);
}

/* A probe of more images than a scorer has room for. */
static int check_many(const void *argument)
{
    (void)argument;
    struct subject s = new_subject("data.h5", 40);
    const char *name = scratch_path("large.h5");
    struct artifact *artifact = artifact_create(name, &origin);
    struct path path = path_of(s.net, probed);
    space_save(artifact, &s.net->space);
    paths_save(artifact, "probe/path", &path, 1, "path");
    artifact_write_i64(artifact, "probe/seed", 5, "1", "seed");
    artifact_write_i64(artifact, "probe/images", 65, "1", "images");
    artifact_write_f64(artifact, "probe/loss", 1, "1", "loss");
    artifact_commit(artifact);
    probe_check(s.scorer, artifact_open(name, NULL));
    return 0;
}

static void a_probe_of_too_many_images_is_refused(void **state)
{
    (void)state;
    struct child child = child_run(check_many, NULL);
    assert_int_equal(child.code, EXIT_FAILED);
    assert_non_null(strstr(child.err, "'probe/images' is 65, expected 1 to 64"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_that_arrive_as_saved_pass),
        cmocka_unit_test(at_most_64_validation_images_are_probed),
        cmocka_unit_test(a_scaled_array_or_other_images_are_noticed),
        cmocka_unit_test(an_array_that_is_not_on_the_probed_path_is_not_noticed),
        cmocka_unit_test(a_probe_of_too_many_images_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, save_for_children, scratch_teardown);
}
