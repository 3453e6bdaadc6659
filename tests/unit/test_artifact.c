/* What is written is read back, and what is damaged is not taken for good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/die.h"
#include "base/rng.h"
#include "base/stop.h"
#include "io/artifact.h"
#include "io/h5.h"
#include "unit/child.h"
#include "unit/leaks.h"
#include "unit/scratch.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

static const struct artifact_origin origin = {
    .stage = "greedy", .config = "seed: 7\n", .seed = 7, .threads = 2};

static struct artifact *create(const char *name)
{
    return artifact_create(scratch_path(name), &origin);
}

/* A file with an array of each type, in groups and not; returns its path. */
static const char *make_example(const char *name)
{
    const float weights[] = {1.5f, -2.25f, 3e-20f, 4, 5, 6};
    const double losses[] = {0.1, 0.2, 0.3};
    const int32_t genes[] = {-1, 0, 2147483647};
    const uint8_t pixels[] = {0, 128, 255};
    const char *const names[] = {"trousers", "", "cr\xc3\xa8me"};
    struct artifact *artifact = create(name);
    artifact_write(artifact, "net/weights", ARRAY_F32, 2, (size_t[]){2, 3}, weights,
                   "1", "weights");
    artifact_write_vector(artifact, "losses", ARRAY_F64, 3, losses, "nat", "losses");
    artifact_write_vector(artifact, "pool/genes", ARRAY_I32, 3, genes, "1", "genes");
    artifact_write_vector(artifact, "pixels", ARRAY_U8, 3, pixels, "1", "pixels");
    artifact_write_vector(artifact, "names", ARRAY_TEXT, 3, names, "text", "names");
    artifact_write_i64(artifact, "step", -9000000000, "steps", "a step");
    artifact_write_f64(artifact, "measured/seconds", 12.5, "s", "a time");
    artifact_write_text(artifact, "found", "k3e3 id", "a path");
    artifact_describe(artifact, "net", "what was learnt");
    artifact_commit(artifact);
    return scratch_path(name);
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct artifact *artifact = artifact_open(make_example("a.h5"), "greedy");
    float weights[6];
    double losses[3];
    int32_t genes[3];
    uint8_t pixels[3];
    artifact_read(artifact, "net/weights", ARRAY_F32, 2, (size_t[]){2, 3}, weights);
    artifact_read(artifact, "losses", ARRAY_F64, 1, (size_t[]){3}, losses);
    artifact_read(artifact, "pool/genes", ARRAY_I32, 1, (size_t[]){3}, genes);
    artifact_read(artifact, "pixels", ARRAY_U8, 1, (size_t[]){3}, pixels);
    assert_true(weights[1] == -2.25f && weights[2] == 3e-20f && weights[5] == 6);
    assert_true(losses[0] == 0.1 && losses[2] == 0.3);
    assert_true(genes[0] == -1 && genes[2] == 2147483647);
    assert_true(pixels[1] == 128 && pixels[2] == 255);
    assert_true(artifact_read_i64(artifact, "step") == -9000000000);
    assert_true(artifact_read_f64(artifact, "measured/seconds") == 12.5);
    char *found = artifact_read_text(artifact, "found");
    assert_string_equal(found, "k3e3 id");
    free(found);
    artifact_close(artifact);
}

static void texts_keep_their_length_and_bytes(void **state)
{
    (void)state;
    struct artifact *artifact = artifact_open(make_example("a.h5"), NULL);
    size_t n;
    char **names = artifact_read_texts(artifact, "names", &n);
    assert_int_equal(n, 3);
    assert_string_equal(names[0], "trousers");
    assert_string_equal(names[1], "");
    assert_string_equal(names[2], "cr\xc3\xa8me");
    free(names);
    artifact_close(artifact);
}

static void shapes_are_told_and_absent_names_are_absent(void **state)
{
    (void)state;
    struct artifact *artifact = artifact_open(make_example("a.h5"), NULL);
    size_t shape[ARTIFACT_RANK_MAX];
    assert_int_equal(artifact_shape(artifact, "net/weights", shape), 2);
    assert_int_equal(shape[0], 2);
    assert_int_equal(shape[1], 3);
    assert_int_equal(artifact_shape(artifact, "step", shape), 0);
    assert_int_equal(artifact_shape(artifact, "net/biases", shape), -1);
    assert_int_equal(artifact_shape(artifact, "nothing/at/all", shape), -1);
    assert_true(artifact_has(artifact, "pool/genes"));
    assert_false(artifact_has(artifact, "pool/losses"));
    assert_null(artifact_read_text(artifact, "lost"));
    assert_null(artifact_attribute(artifact, "lost"));
    artifact_close(artifact);
}

/* More than one chunk in each of two dimensions: 3 x 1.5 MB, cut within a row. */
static void arrays_of_many_chunks_and_of_none_are_whole(void **state)
{
    (void)state;
    enum { ROWS = 3, COLUMNS = 1500001 };
    const size_t shape[] = {ROWS, COLUMNS}, nothing[] = {4, 0, 2};
    uint8_t *bytes = malloc(ROWS * COLUMNS), *read = calloc(ROWS * COLUMNS, 1);
    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    struct artifact *artifact = create("large.h5");
    artifact_write(artifact, "large", ARRAY_U8, 2, shape, bytes, "1", "many");
    artifact_write(artifact, "empty", ARRAY_F32, 3, nothing, NULL, "1", "none");
    artifact_write_vector(artifact, "no_names", ARRAY_TEXT, 0, NULL, "text", "none");
    artifact_commit(artifact);
    assert_null(artifact_verify(scratch_path("large.h5")));
    artifact = artifact_open(scratch_path("large.h5"), NULL);
    artifact_read(artifact, "large", ARRAY_U8, 2, shape, read);
    assert_memory_equal(bytes, read, ROWS * COLUMNS);
    size_t found[ARTIFACT_RANK_MAX], n = 1;
    assert_int_equal(artifact_shape(artifact, "empty", found), 3);
    assert_memory_equal(found, nothing, sizeof(nothing));
    artifact_read(artifact, "empty", ARRAY_F32, 3, nothing, NULL);
    free(artifact_read_texts(artifact, "no_names", &n));
    assert_int_equal(n, 0);
    artifact_close(artifact);
    free(bytes);
    free(read);
}

static void numbers_are_read_as_wider_ones(void **state)
{
    (void)state;
    struct artifact *artifact = artifact_open(make_example("a.h5"), NULL);
    int64_t genes[3], pixels[3];
    int32_t narrow[3];
    double weights[6];
    artifact_read(artifact, "pool/genes", ARRAY_I64, 1, (size_t[]){3}, genes);
    artifact_read(artifact, "pixels", ARRAY_I64, 1, (size_t[]){3}, pixels);
    artifact_read(artifact, "pixels", ARRAY_I32, 1, (size_t[]){3}, narrow);
    artifact_read(artifact, "net/weights", ARRAY_F64, 2, (size_t[]){2, 3}, weights);
    assert_true(genes[0] == -1 && genes[2] == 2147483647);
    assert_true(pixels[2] == 255 && narrow[2] == 255);
    assert_true(weights[2] == (double)3e-20f);
    artifact_close(artifact);
}

/* ---- what a reader is told ---- */

struct reading {
    const char *path, *stage, *name;
    enum array_type type;
    size_t n;
};

static int read_vector(const void *argument)
{
    const struct reading *reading = argument;
    char data[1024];
    log_set_program("search");
    struct artifact *artifact = artifact_open(reading->path, reading->stage);
    if (reading->name)
        artifact_read(artifact, reading->name, reading->type, 1, &reading->n, data);
    artifact_close(artifact);
    return 0;
}

static void assert_refused(struct reading reading, const char *end_of_message)
{
    char expected[2 * SCRATCH_PATH_SIZE];
    struct child child = child_run(read_vector, &reading);
    snprintf(expected, sizeof(expected), "search: '%s'%s\n", reading.path,
             end_of_message);
    assert_string_equal(child.err, expected);
    assert_int_equal(child.code, 1);
}

static void a_narrower_type_is_refused(void **state)
{
    (void)state;
    const char *path = make_example("a.h5");
    assert_refused((struct reading){path, NULL, "losses", ARRAY_F32, 3},
                   ": array 'losses' has type f64, expected f32");
    assert_refused((struct reading){path, NULL, "pool/genes", ARRAY_U8, 3},
                   ": array 'pool/genes' has type i32, expected u8");
    assert_refused((struct reading){path, NULL, "pool/genes", ARRAY_F64, 3},
                   ": array 'pool/genes' has type i32, expected f64");
    assert_refused((struct reading){path, NULL, "names", ARRAY_U8, 3},
                   ": array 'names' has type text, expected u8");
}

static void another_shape_is_refused(void **state)
{
    (void)state;
    const char *path = make_example("a.h5");
    assert_refused((struct reading){path, NULL, "losses", ARRAY_F64, 4},
                   ": array 'losses' has shape 3, expected 4");
    assert_refused((struct reading){path, NULL, "net/weights", ARRAY_F32, 6},
                   ": array 'net/weights' has shape 2x3, expected 6");
    assert_refused((struct reading){path, NULL, "step", ARRAY_I64, 1},
                   ": array 'step' has shape scalar, expected 1");
}

static void a_missing_array_is_named(void **state)
{
    (void)state;
    assert_refused((struct reading){make_example("a.h5"), NULL, "nets", ARRAY_F32, 1},
                   ": there is no array 'nets': expected it");
}

static void another_stage_is_refused(void **state)
{
    (void)state;
    assert_refused((struct reading){make_example("a.h5"), "warmup", NULL, 0, 0},
                   " was made by 'greedy', expected an artifact of 'warmup'");
}

static void what_is_no_artifact_is_told_apart(void **state)
{
    (void)state;
    hid_t file;
    assert_refused((struct reading){scratch_path("lost.h5"), NULL, NULL, 0, 0},
                   " does not exist");
    scratch_write(scratch_path("empty.h5"), "", 0);
    assert_refused((struct reading){scratch_path("empty.h5"), NULL, NULL, 0, 0},
                   " is empty, expected an HDF5 file"
                   "\nsearch: if it is damaged, remove it to have it made again");
    scratch_write(scratch_path("text.h5"), "seed: 1\nspace:\n", 15);
    assert_refused((struct reading){scratch_path("text.h5"), NULL, NULL, 0, 0},
                   " is not an HDF5 file"
                   "\nsearch: if it is damaged, remove it to have it made again");
    assert_null(h5_create(scratch_path("plain.h5"), &file));
    assert_null(h5_close(file));
    assert_refused((struct reading){scratch_path("plain.h5"), NULL, NULL, 0, 0},
                   " is no artifact: it has no attribute 'format'");
}

static void another_format_is_refused(void **state)
{
    (void)state;
    hid_t file;
    assert_null(h5_create(scratch_path("newer.h5"), &file));
    assert_null(h5_attribute_u64(file, "/", "format", ARTIFACT_FORMAT + 1));
    assert_null(h5_attribute_text(file, "/", "stage", "greedy"));
    assert_null(h5_close(file));
    assert_refused((struct reading){scratch_path("newer.h5"), NULL, NULL, 0, 0},
                   " has format 2, expected 1: it was made by a newer version of this "
                   "program");
}

static void an_unfinished_file_is_refused(void **state)
{
    (void)state;
    hid_t file;
    assert_null(h5_create(scratch_path("half.h5"), &file));
    assert_null(h5_attribute_u64(file, "/", "format", ARTIFACT_FORMAT));
    assert_null(h5_attribute_text(file, "/", "stage", "greedy"));
    assert_null(h5_close(file));
    assert_refused((struct reading){scratch_path("half.h5"), "greedy", NULL, 0, 0},
                   " is incomplete: it has no attribute 'digest'");
}

/* ---- complete or absent ---- */

static int count_files(void)
{
    int n = 0;
    DIR *folder = opendir(scratch_folder);
    while (readdir(folder))
        n++;
    closedir(folder);
    return n;
}

static void a_file_has_its_name_only_when_it_is_complete(void **state)
{
    (void)state;
    struct artifact *artifact = create("late.h5");
    artifact_write_i64(artifact, "step", 1, "steps", "a step");
    assert_false(scratch_exists(scratch_path("late.h5")));
    artifact_commit(artifact);
    assert_true(scratch_exists(scratch_path("late.h5")));
}

static void what_was_given_up_leaves_nothing(void **state)
{
    (void)state;
    int before = count_files();
    struct artifact *artifact = create("never.h5");
    assert_int_equal(count_files(), before + 1);
    artifact_abandon(artifact);
    artifact_abandon(NULL);
    assert_int_equal(count_files(), before);
}

static void the_replaced_file_can_be_kept(void **state)
{
    (void)state;
    for (int step = 1; step <= 3; step++) {
        struct artifact *artifact = create("kept.h5");
        artifact_write_i64(artifact, "step", step, "steps", "a step");
        artifact_commit_keeping(artifact, scratch_path("kept.old.h5"));
    }
    struct artifact *newest = artifact_open(scratch_path("kept.h5"), NULL);
    struct artifact *older = artifact_open(scratch_path("kept.old.h5"), NULL);
    assert_int_equal(artifact_read_i64(newest, "step"), 3);
    assert_int_equal(artifact_read_i64(older, "step"), 2);
    artifact_close(newest);
    artifact_close(older);
}

/* The limit on a file's size stands in for a full disk: writing fails in the same
 * place, with "File too large" for "No space left on device". */
static int write_without_room(const void *argument)
{
    const struct rlimit limit = {200000, 200000};
    double *zeros = calloc(100000, sizeof(double));
    log_set_program("greedy");
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    struct artifact *artifact = create("full.h5");
    for (int i = 0; i < *(const int *)argument; i++) {
        char name[16];
        snprintf(name, sizeof(name), "a%d", i);
        artifact_write_vector(artifact, name, ARRAY_F64, 1000, zeros, "1", "zeros");
    }
    artifact_write_vector(artifact, "large", ARRAY_F64, 100000, zeros, "1", "zeros");
    artifact_commit(artifact);
    free(zeros);
    return 0;
}

static void a_full_disk_ends_the_program_and_leaves_nothing(void **state)
{
    (void)state;
    int before = count_files();
    for (int others = 0; others < 60; others += 20) {
        struct child child = child_run(write_without_room, &others);
        assert_int_equal(child.code, 1);
        assert_non_null(strstr(child.err, "full.h5': cannot write"));
        assert_non_null(strstr(child.err, ": File too large\n"));
        assert_int_equal(count_files(), before);
    }
}

static int create_nowhere(const void *argument)
{
    (void)argument;
    create("lost/folder.h5");
    return 0;
}

static void a_missing_folder_is_named(void **state)
{
    (void)state;
    struct child child = child_run(create_nowhere, NULL);
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "lost/folder.h5': cannot create"));
    assert_non_null(strstr(child.err, "No such file or directory"));
}

static int create_and_be_killed(const void *argument)
{
    (void)argument;
    create("stale.h5");
    printf("%ld", (long)getpid());
    fflush(stdout);
    raise(SIGKILL);
    return 0;
}

static void what_a_killed_process_left_is_removed(void **state)
{
    (void)state;
    int before = count_files();
    struct child child = child_run(create_and_be_killed, NULL);
    assert_int_equal(child.signal, SIGKILL);
    assert_int_equal(count_files(), before + 1);
    artifact_abandon(create("stale.h5"));
    assert_int_equal(count_files(), before);
}

/* ---- where it comes from ---- */

static void assert_attribute(struct artifact *artifact, const char *name,
                             const char *expected)
{
    char *value = artifact_attribute(artifact, name);
    assert_non_null(value);
    if (expected)
        assert_string_equal(value, expected);
    else
        assert_true(*value);
    free(value);
}

static void the_file_says_what_made_it(void **state)
{
    (void)state;
    struct artifact *artifact = artifact_open(make_example("a.h5"), NULL);
    assert_attribute(artifact, "stage", "greedy");
    assert_attribute(artifact, "format", "1");
    assert_attribute(artifact, "config", "seed: 7\n");
    assert_attribute(artifact, "seed", "7");
    assert_attribute(artifact, "threads", "2");
    assert_attribute(artifact, "inputs", "");
    const char *const any[] = {"code", "libraries", "cpu", "started", "finished"};
    for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
        assert_attribute(artifact, any[i], NULL);
    artifact_close(artifact);
}

static void inputs_are_recorded_with_their_digests(void **state)
{
    (void)state;
    const char *const in[] = {make_example("in.h5"), scratch_path("given.h5")};
    const char *const given[] = {"sha256:1", "sha256:2"};
    char digest[ARTIFACT_DIGEST_SIZE], expected[2 * SCRATCH_PATH_SIZE];
    struct artifact *input = artifact_open(in[0], NULL);
    artifact_digest(input, digest);
    artifact_close(input);
    struct artifact_origin with = origin;
    with.in = in;
    with.n_in = 1;
    artifact_commit(artifact_create(scratch_path("out.h5"), &with));
    struct artifact *artifact = artifact_open(scratch_path("out.h5"), NULL);
    snprintf(expected, sizeof(expected), "%s %s", in[0], digest);
    assert_attribute(artifact, "inputs", expected);
    artifact_close(artifact);
    with.n_in = 2;
    with.in_digest = given;
    artifact_commit(artifact_create(scratch_path("out.h5"), &with));
    artifact = artifact_open(scratch_path("out.h5"), NULL);
    snprintf(expected, sizeof(expected), "%s %s\n%s %s", in[0], given[0], in[1],
             given[1]);
    assert_attribute(artifact, "inputs", expected);
    artifact_close(artifact);
    with.n_in = 1;
    with.plain = "known.csv";
    with.plain_digest = "sha256:3";
    artifact_commit(artifact_create(scratch_path("out.h5"), &with));
    artifact = artifact_open(scratch_path("out.h5"), NULL);
    snprintf(expected, sizeof(expected), "%s %s\nknown.csv sha256:3", in[0], given[0]);
    assert_attribute(artifact, "inputs", expected);
    artifact_close(artifact);
}

/* Object headers end at 64 KiB. */
static void long_settings_and_texts_are_kept_whole(void **state)
{
    (void)state;
    enum { LONG = 300000 };
    char *text = malloc(LONG + 1);
    for (int i = 0; i < LONG; i++)
        text[i] = (char)(i % 77 ? 'a' + i % 26 : '\n');
    text[LONG] = '\0';
    struct artifact_origin with = origin;
    with.config = text;
    struct artifact *artifact = artifact_create(scratch_path("long.h5"), &with);
    artifact_write_text(artifact, "story", text, "a long text");
    artifact_commit(artifact);
    assert_null(artifact_verify(scratch_path("long.h5")));
    artifact = artifact_open(scratch_path("long.h5"), NULL);
    assert_attribute(artifact, "config", text);
    char *read = artifact_read_text(artifact, "story");
    assert_string_equal(read, text);
    free(read);
    artifact_close(artifact);
    free(text);
}

static void siblings_lie_beside_the_artifact(void **state)
{
    (void)state;
    char *path = artifact_sibling("r/greedy.h5", ".ckpt.h5");
    assert_string_equal(path, "r/greedy.ckpt.h5");
    free(path);
    path = artifact_sibling("r.h5/greedy", ".status.yaml");
    assert_string_equal(path, "r.h5/greedy.status.yaml");
    free(path);
}

/* ---- the digest ---- */

struct content {
    const char *name;
    enum array_type type;
    int rank;
    size_t shape[2];
    const void *data;
};

static const uint8_t bytes_1[] = {1, 2, 3, 4}, bytes_2[] = {1, 2, 3, 5};

static void digest_of_contents(const struct artifact_origin *from, int n,
                               const struct content *content,
                               char digest[ARTIFACT_DIGEST_SIZE])
{
    struct artifact *artifact = artifact_create(scratch_path("d.h5"), from);
    for (int i = 0; i < n; i++)
        artifact_write(artifact, content[i].name, content[i].type, content[i].rank,
                       content[i].shape, content[i].data, "1", "something");
    artifact_commit(artifact);
    artifact = artifact_open(scratch_path("d.h5"), NULL);
    artifact_digest(artifact, digest);
    artifact_close(artifact);
}

static void the_digest_is_of_the_arrays_alone(void **state)
{
    (void)state;
    char first[ARTIFACT_DIGEST_SIZE], other[ARTIFACT_DIGEST_SIZE];
    const struct content content[] = {
        {"a", ARRAY_U8, 1, {4}, bytes_1},
        {"b/c", ARRAY_U8, 1, {4}, bytes_2},
        {"measured/rate", ARRAY_U8, 1, {4}, bytes_1},
    };
    const struct content reordered[] = {
        {"b/c", ARRAY_U8, 1, {4}, bytes_2},
        {"measured/rate", ARRAY_U8, 1, {4}, bytes_2},
        {"measured/time", ARRAY_U8, 1, {4}, bytes_2},
        {"a", ARRAY_U8, 1, {4}, bytes_1},
    };
    struct artifact_origin elsewhere = origin;
    elsewhere.threads = 64;
    elsewhere.config = "other: words\n";
    digest_of_contents(&origin, 3, content, first);
    digest_of_contents(&elsewhere, 4, reordered, other);
    assert_int_equal(strlen(first), strlen("sha256:") + 64);
    assert_string_equal(first, other);
}

static void the_digest_changes_with_byte_name_shape_and_type(void **state)
{
    (void)state;
    const char *const text[] = {"ab"}, *const letters[] = {"a", "b"};
    const char *const one[] = {"ab", "c"}, *const other[] = {"a", "bc"};
    const struct content contents[] = {
        {"a", ARRAY_U8, 1, {4}, bytes_1},    {"a", ARRAY_U8, 1, {4}, bytes_2},
        {"b", ARRAY_U8, 1, {4}, bytes_1},    {"a", ARRAY_U8, 2, {2, 2}, bytes_1},
        {"a", ARRAY_U8, 2, {4, 1}, bytes_1}, {"a", ARRAY_F32, 1, {1}, bytes_1},
        {"a", ARRAY_I32, 1, {1}, bytes_1},   {"a", ARRAY_I32, 0, {0}, bytes_1},
        {"a", ARRAY_TEXT, 1, {1}, text},     {"a", ARRAY_TEXT, 1, {2}, letters},
        {"a/b", ARRAY_U8, 1, {4}, bytes_1},  {"a", ARRAY_TEXT, 1, {2}, one},
        {"a", ARRAY_TEXT, 1, {2}, other},
    };
    enum { N = sizeof(contents) / sizeof(contents[0]) };
    char digest[N][ARTIFACT_DIGEST_SIZE];
    for (int i = 0; i < N; i++) {
        digest_of_contents(&origin, 1, &contents[i], digest[i]);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(digest[i], digest[j]);
    }
}

/* ---- damage ---- */

static void a_good_file_verifies(void **state)
{
    (void)state;
    assert_null(artifact_verify(make_example("a.h5")));
}

static void a_flipped_bit_in_an_array_is_found_and_the_array_named(void **state)
{
    (void)state;
    const float weight = 3e-20f;
    size_t size;
    const char *path = make_example("flipped.h5");
    unsigned char *bytes = scratch_read(path, &size);
    unsigned char *at = memmem(bytes, size, &weight, sizeof(weight));
    assert_non_null(at);
    *at ^= 4;
    scratch_write(path, bytes, size);
    char *error = artifact_verify(path);
    assert_non_null(error);
    assert_non_null(strstr(error, "flipped.h5': cannot read array 'net/weights': "));
    assert_non_null(strstr(error, "Fletcher32 checksum"));
    free(error);
    struct reading reading = {path, "greedy", "losses", ARRAY_F64, 3};
    struct child child = child_run(read_vector, &reading);
    assert_string_equal(child.err, ""); /* the others are good */
    free(bytes);
}

static int read_step(const void *argument)
{
    struct artifact *artifact = artifact_open(argument, NULL);
    printf("%lld", (long long)artifact_read_i64(artifact, "step"));
    artifact_close(artifact);
    return 0;
}

static void a_flipped_bit_in_a_scalar_is_found_by_who_reads_it(void **state)
{
    (void)state;
    const int64_t step = -9000000000;
    size_t size;
    const char *path = make_example("scalar.h5");
    unsigned char *bytes = scratch_read(path, &size);
    unsigned char *at = memmem(bytes, size, &step, sizeof(step));
    assert_non_null(at);
    struct child child = child_run(read_step, path);
    assert_string_equal(child.out, "-9000000000");
    scratch_write_at(path, (size_t)(at - bytes), *at ^ 4);
    child = child_run(read_step, path);
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err, "scalar.h5': cannot read array 'step': "));
    free(bytes);
}

/* An array of 2.5 MB, so of three pieces, written past HDF5 after the file was closed;
 * the same digest as when HDF5 has it all at once. */
static void an_array_may_be_filled_in_place(void **state)
{
    (void)state;
    enum { BYTES = 5 << 19 };
    char digest[2][ARTIFACT_DIGEST_SIZE];
    unsigned char *bytes = malloc(BYTES), *back = malloc(BYTES);
    for (int i = 0; i < BYTES; i++)
        bytes[i] = (unsigned char)(i * 2654435761u >> 24);
    const char *part = scratch_path("placed.part.h5");
    size_t place = artifact_reserve(part, "big", BYTES, "byte", "bytes");
    FILE *file = fopen(part, "r+b");
    assert_true(place > 0 && fseek(file, (long)place, SEEK_SET) == 0);
    assert_int_equal(fwrite(bytes, 1, BYTES, file), BYTES);
    fclose(file);

    struct artifact *artifact =
        artifact_create_from(part, scratch_path("placed.h5"), &origin);
    artifact_write_i64(artifact, "step", 7, "steps", "a step");
    artifact_commit(artifact);
    assert_false(scratch_exists(part));
    assert_null(artifact_verify(scratch_path("placed.h5")));
    artifact = artifact_open(scratch_path("placed.h5"), "greedy");
    assert_int_equal(artifact_place(artifact, "big"), place);
    assert_int_equal(artifact_place(artifact, "step"), 0);
    artifact_read(artifact, "big", ARRAY_U8, 1, (size_t[]){BYTES}, back);
    assert_memory_equal(back, bytes, BYTES);
    artifact_digest(artifact, digest[0]);
    artifact_close(artifact);

    artifact = create("usual.h5");
    artifact_write_vector(artifact, "big", ARRAY_U8, BYTES, bytes, "byte", "bytes");
    artifact_write_i64(artifact, "step", 7, "steps", "a step");
    artifact_commit(artifact);
    artifact = artifact_open(scratch_path("usual.h5"), "greedy");
    assert_int_equal(artifact_place(artifact, "big"), 0);
    artifact_digest(artifact, digest[1]);
    artifact_close(artifact);
    assert_string_equal(digest[0], digest[1]);

    scratch_write_at(scratch_path("placed.h5"), place + BYTES - 1,
                     (unsigned char)~bytes[BYTES - 1]);
    char *error = artifact_verify(scratch_path("placed.h5"));
    assert_non_null(error);
    assert_non_null(strstr(error, "is damaged: its arrays have digest"));
    free(error);
    free(bytes);
    free(back);
}

enum { PLACED = 3000 };

static int is_killed_while_it_closes(const void *argument)
{
    struct artifact *artifact =
        artifact_create_from(argument, scratch_path("killed.h5"), &origin);
    unsigned char *more = calloc(1 << 22, 1);
    artifact_write_i64(artifact, "step", 7, "steps", "a step");
    artifact_write_vector(artifact, "more", ARRAY_U8, 1 << 22, more, "byte", "bytes");
    raise(SIGKILL);
    return 0;
}

static int is_told_to_stop(const void *argument)
{
    stop_request("test");
    return artifact_create_from(argument, scratch_path("killed.h5"), &origin) ? 1 : 75;
}

static void what_a_kill_left_of_a_filled_file_is_begun_with_anew(void **state)
{
    (void)state;
    size_t size, size_again;
    const char *part = scratch_path("killed.part.h5");
    size_t place = artifact_reserve(part, "big", PLACED, "byte", "bytes");
    for (size_t i = 0; i < PLACED; i += 7)
        scratch_write_at(part, place + i, (unsigned char)i);
    unsigned char *before = scratch_read(part, &size);

    assert_int_equal(child_run(is_told_to_stop, part).code, 75);
    assert_int_equal(child_run(is_killed_while_it_closes, part).signal, SIGKILL);
    assert_false(scratch_exists(scratch_path("killed.h5")));
    assert_false(
        artifact_reserve_again(part, "big", PLACED, place + 1, "byte", "bytes"));
    assert_true(artifact_reserve_again(part, "big", PLACED, place, "byte", "bytes"));
    unsigned char *after = scratch_read(part, &size_again);
    assert_int_equal(size_again, size);
    assert_memory_equal(after + place, before + place, PLACED);
    free(before);
    free(after);

    struct artifact *artifact =
        artifact_create_from(part, scratch_path("killed.h5"), &origin);
    artifact_commit(artifact);
    assert_null(artifact_verify(scratch_path("killed.h5")));
}

/* Each checksum is right, but these are not the arrays that the digest was made of. */
static void other_arrays_than_the_recorded_ones_are_found(void **state)
{
    (void)state;
    hid_t file;
    const char *path = scratch_path("swapped.h5");
    const struct h5_array array = {.type = ARRAY_U8, .rank = 1, .shape = {4}};
    char digest[ARTIFACT_DIGEST_SIZE];
    const struct content content = {"a", ARRAY_U8, 1, {4}, bytes_1};
    digest_of_contents(&origin, 1, &content, digest);
    for (int same = 0; same < 2; same++) {
        unlink(path);
        assert_null(h5_create(path, &file));
        assert_null(h5_attribute_u64(file, "/", "format", ARTIFACT_FORMAT));
        assert_null(h5_attribute_text(file, "/", "stage", "greedy"));
        assert_null(h5_attribute_text(file, "/", "digest", digest));
        assert_null(h5_attribute_text(file, "/", "finished", "today"));
        assert_null(h5_write(file, "a", &array, same ? bytes_1 : bytes_2));
        assert_null(h5_close(file));
        char *error = artifact_verify(path);
        if (same)
            assert_null(error);
        else
            assert_non_null(strstr(error,
                                   "swapped.h5' is damaged: its arrays have digest "
                                   "sha256:"));
        free(error);
    }
}

static void a_truncated_file_says_how_long_it_should_be(void **state)
{
    (void)state;
    char expected[2 * SCRATCH_PATH_SIZE];
    size_t size;
    const char *path = make_example("whole.h5"), *cut = scratch_path("cut.h5");
    unsigned char *bytes = scratch_read(path, &size);
    for (size_t n = 0; n < size; n += n < 600 ? 1 : 97) {
        scratch_write(cut, bytes, n);
        char *error = artifact_verify(cut);
        assert_non_null(error);
        free(error);
    }
    scratch_write(cut, bytes, size - 1);
    char *error = artifact_verify(cut);
    snprintf(expected, sizeof(expected),
             "'%s' is truncated: found %zu bytes, expected %zu", cut, size - 1, size);
    assert_string_equal(error, expected);
    free(error);
    free(bytes);
}

/*
 * Bytes all over the file, one at a time. A change may go unnoticed only where nothing
 * lies, so what verifies also has its arrays as they were: the recorded digest is the
 * old one.
 */
static void no_flipped_byte_goes_unnoticed_or_crashes(void **state)
{
    (void)state;
    size_t size, noticed = 0, flipped = 0;
    char digest[ARTIFACT_DIGEST_SIZE], recorded[ARTIFACT_DIGEST_SIZE];
    const char *path = make_example("whole.h5"), *bad = scratch_path("bad.h5");
    struct artifact *artifact = artifact_open(path, NULL);
    artifact_digest(artifact, digest);
    artifact_close(artifact);
    unsigned char *bytes = scratch_read(path, &size);
    struct rng rng = rng_stream(1, RNG_TEST, 0, 0);
    scratch_write(bad, bytes, size);
    for (size_t i = 0; i < size; i += 1 + rng_below(&rng, 8), flipped++) {
        scratch_write_at(bad, i, bytes[i] ^ (unsigned char)(1 + rng_below(&rng, 255)));
        char *error = artifact_verify(bad);
        noticed += error != NULL;
        if (!error) {
            artifact = artifact_open(bad, "greedy");
            artifact_digest(artifact, recorded);
            artifact_close(artifact);
            assert_string_equal(recorded, digest);
        }
        free(error);
        scratch_write_at(bad, i, bytes[i]);
    }
    print_message("# %zu of %zu flipped bytes noticed\n", noticed, flipped);
    assert_true(noticed > 0);
    free(bytes);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(texts_keep_their_length_and_bytes),
        cmocka_unit_test(shapes_are_told_and_absent_names_are_absent),
        cmocka_unit_test(arrays_of_many_chunks_and_of_none_are_whole),
        cmocka_unit_test(numbers_are_read_as_wider_ones),
        cmocka_unit_test(a_narrower_type_is_refused),
        cmocka_unit_test(another_shape_is_refused),
        cmocka_unit_test(a_missing_array_is_named),
        cmocka_unit_test(another_stage_is_refused),
        cmocka_unit_test(what_is_no_artifact_is_told_apart),
        cmocka_unit_test(another_format_is_refused),
        cmocka_unit_test(an_unfinished_file_is_refused),
        cmocka_unit_test(a_file_has_its_name_only_when_it_is_complete),
        cmocka_unit_test(what_was_given_up_leaves_nothing),
        cmocka_unit_test(the_replaced_file_can_be_kept),
        cmocka_unit_test(a_full_disk_ends_the_program_and_leaves_nothing),
        cmocka_unit_test(a_missing_folder_is_named),
        cmocka_unit_test(what_a_killed_process_left_is_removed),
        cmocka_unit_test(the_file_says_what_made_it),
        cmocka_unit_test(inputs_are_recorded_with_their_digests),
        cmocka_unit_test(long_settings_and_texts_are_kept_whole),
        cmocka_unit_test(siblings_lie_beside_the_artifact),
        cmocka_unit_test(the_digest_is_of_the_arrays_alone),
        cmocka_unit_test(the_digest_changes_with_byte_name_shape_and_type),
        cmocka_unit_test(a_good_file_verifies),
        cmocka_unit_test(a_flipped_bit_in_an_array_is_found_and_the_array_named),
        cmocka_unit_test(a_flipped_bit_in_a_scalar_is_found_by_who_reads_it),
        cmocka_unit_test(an_array_may_be_filled_in_place),
        cmocka_unit_test(what_a_kill_left_of_a_filled_file_is_begun_with_anew),
        cmocka_unit_test(other_arrays_than_the_recorded_ones_are_found),
        cmocka_unit_test(a_truncated_file_says_how_long_it_should_be),
        cmocka_unit_test(no_flipped_byte_goes_unnoticed_or_crashes),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
