#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "child.h"
#include "config_text.h"
#include "io/config_table.h"
#include "io/instance.h"
#include "io/lists.h"

static const char *const shipped[] = {
    "configs/quickstart.yaml", "configs/nas_bench_macro.yaml",
    "configs/mobile_space.yaml", "configs/se_space.yaml", "configs/reference.yaml"};
enum { SHIPPED = sizeof shipped / sizeof *shipped };

static struct config *load(const char *path, const char *override)
{
    char *problems;
    struct config *config = config_read(path, &override, override != NULL, &problems);
    if (problems)
        fail_msg("%s", problems);
    return config;
}

/* The paper's numbers, from method.md and not from the table. */
static void defaults_are_the_papers(void **state)
{
    (void)state;
    char *problems;
    struct config *config = read_least(NULL, &problems);
    assert_non_null(config);
    assert_int_equal(config->supernet.batch, 1024);
    assert_true(config->supernet.learning_rate == 0.12);
    assert_true(config->supernet.momentum == 0.9);
    assert_true(config->supernet.weight_decay == 4e-5);
    assert_true(config->supernet.label_smoothing == 0.1);
    assert_int_equal(config->warmup.steps, 10000);
    assert_int_equal(config->greedy.sampled_paths, 10);
    assert_int_equal(config->greedy.kept_paths, 5);
    assert_int_equal(config->greedy.pool_size, 1000);
    assert_true(config->greedy.epsilon.from == 0 && config->greedy.epsilon.to == 0.8);
    assert_true(config->greedy.stop.alpha == 0.08);
    assert_true(config->greedy.filter && config->greedy.sample_from_pool);
    assert_int_equal(config->search.population, 50);
    assert_int_equal(config->search.generations, 20);
    assert_int_equal(config->search.random_paths, 1000);
    assert_true(config->search.mutation == 0.1);
    assert_true(config->sampling.constraint.flops == 0);
    assert_int_equal(config->space.head.channels, 1280);
    assert_string_equal(config->space.squeeze_excite.of, "expanded");
    assert_string_equal(config->stage, "");
    config_free(config);
}

static void values_come_from_the_file_and_places_are_known(void **state)
{
    (void)state;
    char *problems, text[] = "seed: 77\nsearch:\n  bn: batch\n  constraints:\n"
                             "    flops: 5.0e6\ncheckpoint: {seconds: 1.5}\n";
    char *whole = malloc(sizeof text + sizeof least_text);
    sprintf(whole, "%s%s", text, least_text);
    struct config *config =
        read_text(whole, strlen(whole), "greedy.stop.alpha=0.25", &problems);
    assert_non_null(config);
    assert_true(config->seed == 77);
    assert_string_equal(config->search.bn, "batch");
    assert_true(config->search.constraints.flops == 5e6);
    assert_true(config->checkpoint.seconds == 1.5);
    assert_true(config->greedy.stop.alpha == 0.25);
    const struct {
        const char *name, *ends_with;
    } place[] = {{"search.constraints.flops", ":5:12"},
                 {"greedy.stop.alpha", "SET"},
                 {"greedy.pool_size", ""},
                 {"no.such", ""}};
    for (size_t i = 0; i < 4; i++) {
        char *found = config_place(config, place[i].name);
        size_t expected = strlen(place[i].ends_with), length = strlen(found);
        assert_true(length >= expected && (expected > 0 || length == 0));
        assert_string_equal(found + length - expected, place[i].ends_with);
        free(found);
    }
    config_free(config);
    free(whole);
}

/* Field by field, by the table's kinds. */
static void assert_same_settings(const struct config *a, const struct config *b,
                                 unsigned use)
{
    for (int i = 0; i < config_table.n; i++) {
        const struct setting *row = &config_table.row[i];
        const char *x = (const char *)a + row->offset,
                   *y = (const char *)b + row->offset;
        if (!row->kind || !(row->use & use))
            continue;
        if (strncmp(row->name, "space.", 6) == 0 &&
            row->offset == offsetof(struct config, space))
            continue; /* the lists: below */
        if (row->kind == &kind_texts) {
            const struct text_list *v = (const void *)x, *w = (const void *)y;
            assert_int_equal(v->n, w->n);
            for (int j = 0; j < v->n; j++)
                assert_string_equal(v->text[j], w->text[j]);
            continue;
        }
        if (strstr(row->kind->expects, "one of") ||
            strstr(row->kind->expects, "text") || strstr(row->kind->expects, "name"))
            assert_string_equal(*(const char *const *)x, *(const char *const *)y);
        else if (strcmp(row->kind->expects, "a number") == 0)
            assert_memory_equal(x, y, sizeof(double));
        else if (strcmp(row->kind->expects, "true or false") == 0)
            assert_memory_equal(x, y, sizeof(bool));
        else if (strcmp(row->name, "seed") == 0)
            assert_memory_equal(x, y, sizeof(uint64_t));
        else
            assert_memory_equal(x, y, sizeof(int));
    }
    assert_memory_equal(a->space.input, b->space.input, sizeof a->space.input);
    if (use == USE_PREPARE)
        return;
    assert_int_equal(a->space.n_stages, b->space.n_stages);
    assert_memory_equal(a->space.stages, b->space.stages, sizeof a->space.stages);
    assert_int_equal(a->space.n_fixed, b->space.n_fixed);
    for (int i = 0; i < a->space.n_fixed; i++) {
        const struct fixed_config *x = &a->space.fixed[i], *y = &b->space.fixed[i];
        assert_string_equal(x->op, y->op);
        assert_int_equal(x->channels, y->channels);
        assert_int_equal(x->repeat, y->repeat);
        assert_int_equal(x->stride, y->stride);
        assert_string_equal(x->activation, y->activation);
    }
    assert_int_equal(a->space.n_choices, b->space.n_choices);
    assert_memory_equal(a->space.choices, b->space.choices, sizeof a->space.choices);
}

/* The effective text of `stage` reads back: same values, same text. */
static void assert_round_trip(const struct config *config, const char *stage)
{
    char *problems, *text = config_effective(config, stage);
    struct config *again = read_text(text, strlen(text), NULL, &problems);
    if (!again)
        fail_msg("%s", problems);
    assert_string_equal(again->stage, stage ? stage : "");
    struct instance instance = {.use = USE_ALL};
    assert_true(!stage || instance_find(stage, &instance));
    assert_same_settings(config, again, instance.use);
    char *text_again = config_effective(again, stage);
    assert_string_equal(text, text_again);
    free(text_again);
    free(text);
    config_free(again);
}

static void effective_settings_of_every_shipped_config_read_back_the_same(void **state)
{
    (void)state;
    for (int i = 0; i < SHIPPED; i++) {
        struct config *config = load(shipped[i], NULL);
        assert_round_trip(config, NULL);
        for (const char *const *stage = instance_names(); *stage; stage++)
            assert_round_trip(config, *stage);
        config_free(config);
    }
}

static void awkward_values_read_back_the_same(void **state)
{
    (void)state;
    const char *const overrides[] = {
        "search.mutation=0.30000000000000004",
        "search.mutation=5e-324",
        "search.constraints.flops=999999999999999.9",
        "search.constraints.flops=12345678901234567",
        "seed=18446744073709551615",
        "dataset.source=\"/a b: #c, [d] {e} 'f' \\\"g\\\" \\\\h\"",
        "dataset.source=' /leading and trailing '",
        "dataset.source='null'",
        "dataset.source='true'",
        "dataset.source='1e5'",
        "dataset.source='- x'",
        "dataset.source='/\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80'",
        "dataset.name=no",
        "space.fixed=[{op: id, channels: 8}, {op: k7e6s, channels: 9, repeat: 2, "
        "stride: "
        "2}]",
    };
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++) {
        struct config *config = load("configs/quickstart.yaml", overrides[i]);
        assert_round_trip(config, NULL);
        config_free(config);
    }
}

/* Which stages an edit concerns, worked out by what each stage does. */
#define BASELINES "uniform fairnas uniform_e fairnas_e"
#define TRAINING "warmup greedy " BASELINES
#define OF_SPACE "warmup greedy search latency retrain evaluate rankcorr " BASELINES
static const struct {
    const char *override, *concerns;
} edits[] = {
    {"seed=2", "prepare " OF_SPACE},
    {"dataset.name=other", "prepare"},
    {"dataset.format=imagefolder", "prepare"},
    {"dataset.source=/other", "prepare"},
    {"dataset.validation_per_class=501", "prepare"},
    {"dataset.augment.pad_crop=3", "warmup greedy retrain " BASELINES},
    {"dataset.augment.flip=false", "warmup greedy retrain " BASELINES},
    {"space.input=[28, 28, 3]", "prepare " OF_SPACE},
    {"space.classes=11", "prepare " OF_SPACE},
    {"space.activation=hswish", OF_SPACE},
    {"space.choices=[k3e3, id]", OF_SPACE},
    {"space.head.channels=128", OF_SPACE},
    {"supernet.batch=96", TRAINING},
    {"supernet.learning_rate=0.1", TRAINING},
    {"supernet.steps=2999", TRAINING},
    {"sampling.constraint.params=1e6", TRAINING},
    {"warmup.steps=799", "warmup greedy"},
    {"greedy.pool_size=100", "greedy"},
    {"greedy.epsilon.to=0.5", "greedy"},
    {"greedy.stop_by_turnover=false", "greedy"},
    {"uniform.steps=100", "uniform"},
    {"uniform.snapshot_steps=100", "uniform"},
    {"fairnas.steps=100", "fairnas"},
    {"equal_cost.ratio=3.33", "uniform_e fairnas_e"},
    {"search.population=20", "search"},
    {"search.constraints.flops=8e6", "search rankcorr"},
    {"search.cost=params", "search"},
    {"search.bn=recalibrate", "search"},
    {"search.constraints.latency_ms=3", "search rankcorr"},
    {"rankcorr.images=[10, 20]", "rankcorr"},
    {"rankcorr.truth=known.csv", "rankcorr"},
    {"latency.batch=2", "latency"},
    {"retrain.networks=[found]", ""},
    {"retrain.network=largest", "retrain"},
    {"retrain.steps.factor=0.9", "retrain"},
    {"evaluate.weights=last", "evaluate"},
    {"checkpoint.seconds=31", ""},
    {"checkpoint.steps=31", ""},
};

static void an_edit_changes_the_text_of_the_stages_that_it_concerns(void **state)
{
    (void)state;
    struct config *before = load("configs/quickstart.yaml", NULL);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct config *after = load("configs/quickstart.yaml", edits[i].override);
        char changed[160] = "";
        for (const char *const *stage = setting_stages; *stage; stage++) {
            char *old = config_fingerprint(before, *stage);
            char *new = config_fingerprint(after, *stage);
            if (strcmp(old, new) != 0)
                snprintf(changed + strlen(changed), sizeof changed - strlen(changed),
                         "%s%s", *changed ? " " : "", *stage);
            free(old);
            free(new);
        }
        if (strcmp(changed, edits[i].concerns) != 0)
            fail_msg("%s changes '%s', expected '%s'", edits[i].override, changed,
                     edits[i].concerns);
        config_free(after);
    }
    config_free(before);
}

static void a_fingerprint_is_the_beginning_of_the_text(void **state)
{
    (void)state;
    struct config *config = load("configs/quickstart.yaml", "checkpoint.steps=7");
    for (const char *const *stage = setting_stages; *stage; stage++) {
        char *text = config_effective(config, *stage);
        char *fingerprint = config_fingerprint(config, *stage);
        size_t length = strlen(fingerprint);
        assert_memory_equal(text, fingerprint, length);
        bool goes_on = strcmp(*stage, "prepare") && strcmp(*stage, "latency");
        assert_string_equal(text + length,
                            goes_on ? "checkpoint:\n  seconds: 30\n  steps: 7\n" : "");
        free(fingerprint);
        free(text);
    }
    config_free(config);
}

static void a_stages_text_takes_no_setting_of_another(void **state)
{
    (void)state;
    char *problems;
    struct config *config = load("configs/quickstart.yaml", NULL);
    char *text = config_effective(config, "warmup");
    struct config *stage =
        read_text(text, strlen(text), "search.population=3", &problems);
    assert_null(stage);
    assert_string_equal(problems, "SET: 'search.population' is not one that warmup "
                                  "uses\n");
    free(problems);
    const char foreign[] = "stage: warmup\nsearch: {population: 3}\n";
    stage = read_text(foreign, strlen(foreign), NULL, &problems);
    assert_null(stage);
    assert_non_null(
        strstr(problems, "2:1: setting 'search' is not one that warmup uses\n"));
    free(problems);
    free(text);
    config_free(config);
}

static int ask_for_search_of_warmup(const void *text)
{
    char *problems;
    struct config *config = read_text(text, strlen(text), NULL, &problems);
    config_effective(config, "search");
    return 0;
}

static void a_stages_text_gives_no_other_stages_text(void **state)
{
    (void)state;
    struct config *config = load("configs/quickstart.yaml", NULL);
    char *text = config_effective(config, "warmup");
    struct child child = child_run(ask_for_search_of_warmup, text);
    assert_int_equal(child.code, 2);
    assert_non_null(strstr(child.err, "the settings are those of stage 'warmup', "
                                      "expected those of search"));
    free(text);
    config_free(config);
}

static void the_last_override_of_a_setting_counts(void **state)
{
    (void)state;
    char *problems;
    const char *const overrides[] = {"search.population=20", "search.population=30"};
    struct config *config =
        config_read("configs/quickstart.yaml", overrides, 2, &problems);
    assert_non_null(config);
    assert_int_equal(config->search.population, 30);
    config_free(config);
}

static void overrides_are_split_at_blanks_outside_brackets_and_quotes(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int n;
        const char *part[3];
    } split[] = {
        {"", 0, {0}},
        {"  \t ", 0, {0}},
        {"a.b=1", 1, {"a.b=1"}},
        {" a=1  b=2\n", 2, {"a=1", "b=2"}},
        {"a=[c, d] b={e: [f, g]}", 2, {"a=[c, d]", "b={e: [f, g]}"}},
        {"a='x y' b=\"[ z\" c=1", 3, {"a='x y'", "b=\"[ z\"", "c=1"}},
        {"a=[b c=1", 1, {"a=[b c=1"}},
        {"a=]b c=1", 2, {"a=]b", "c=1"}},
        {"a=it's b=1", 1, {"a=it's b=1"}},
    };
    for (size_t i = 0; i < sizeof split / sizeof *split; i++) {
        char **part;
        assert_int_equal(config_split_overrides(split[i].text, &part), split[i].n);
        for (int j = 0; j < split[i].n; j++)
            assert_string_equal(part[j], split[i].part[j]);
        free(part);
    }
}

static void one_value_is_given_as_it_is_written(void **state)
{
    (void)state;
    struct config *config = load("configs/quickstart.yaml", "space.choices=[k3e3, id]");
    const struct {
        const char *name, *value;
    } settings[] = {{"dataset.name", "fashion-mnist"},
                    {"greedy.epsilon.to", "0.8"},
                    {"space.choices", "[k3e3, id]"},
                    {"dataset.augment.flip", "true"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char *value = config_value(config, settings[i].name);
        assert_string_equal(value, settings[i].value);
        free(value);
    }
    assert_null(config_value(config, "dataset"));
    assert_null(config_value(config, "no.such"));
    config_free(config);
}

/* Or the settings of every run before it would differ, and all be trained again. */
static void a_later_setting_is_written_only_when_it_has_another_value(void **state)
{
    (void)state;
    int later = 0;
    for (int row = 0; row < config_table.n; row++) {
        const struct setting *setting = &config_table.row[row];
        if (!setting->later)
            continue;
        struct config *config = load("configs/quickstart.yaml", NULL);
        char *value = config_value(config, setting->name);
        assert_string_equal(value, setting->value);
        free(value);
        config_free(config);
        later++;
    }
    assert_true(later > 0);
    struct config *plain = load("configs/quickstart.yaml", NULL);
    struct config *other =
        load("configs/quickstart.yaml", "dataset.augment.crop_area=0.08");
    char *text = config_effective(plain, "warmup");
    char *other_text = config_effective(other, "warmup");
    assert_null(strstr(text, "crop_area"));
    assert_non_null(
        strstr(text, "  augment:\n    pad_crop: 2\n    flip: true\nspace:"));
    assert_non_null(strstr(other_text, "    flip: true\n    crop_area: 0.08\nspace:"));
    free(text);
    free(other_text);
    config_free(plain);
    config_free(other);
}

static void the_reference_file_is_what_the_table_says(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size), *file;
    config_write_reference(memory);
    fclose(memory);
    file = fopen("configs/reference.yaml", "rb");
    assert_non_null(file);
    char *there = calloc(size + 2, 1);
    assert_int_equal(fread(there, 1, size + 1, file), size);
    assert_string_equal(there, text);
    fclose(file);
    free(there);
    free(text);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    char *problems;
    assert_null(config_read("/no/such.yaml", NULL, 0, &problems));
    assert_string_equal(problems,
                        "/no/such.yaml: cannot be read: No such file or directory\n");
    free(problems);
    assert_null(config_read("configs", NULL, 0, &problems));
    assert_string_equal(problems, "configs: cannot be read: Is a directory\n");
    free(problems);
    assert_null(config_read("/dev/zero", NULL, 0, &problems));
    assert_string_equal(problems, "/dev/zero: cannot be read: larger than 1 MiB, which "
                                  "no file of settings is\n");
    free(problems);
}

/* Bytes are replaced, removed, doubled; each result is read or refused, and what is
 * refused has a message. */
static void no_damage_to_a_file_crashes_the_reader(void **state)
{
    (void)state;
    static const char bytes[] = "{}[]:,-'\"#&*!|>%@ \n\t\\0a\xff\xc3";
    struct config *config = load("configs/se_space.yaml", NULL);
    char *text = config_effective(config, NULL);
    size_t size = strlen(text);
    int refused = 0;
    for (uint64_t round = 0; round < 1000; round++) {
        struct rng rng = rng_stream(1, RNG_TEST, 0, round);
        char *damaged = malloc(size);
        memcpy(damaged, text, size);
        size_t length = rng_below(&rng, 4) ? size : rng_below(&rng, (uint32_t)size) + 1;
        for (uint32_t i = rng_below(&rng, 4) + 1; i > 0; i--)
            damaged[rng_below(&rng, (uint32_t)length)] =
                bytes[rng_below(&rng, sizeof bytes)];
        char *problems;
        struct config *read = read_text(damaged, length, NULL, &problems);
        assert_true((read == NULL) == (problems != NULL));
        assert_true(read || *problems);
        refused += read == NULL;
        config_free(read);
        free(problems);
        free(damaged);
    }
    assert_true(refused > 500);
    free(text);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_papers),
        cmocka_unit_test(values_come_from_the_file_and_places_are_known),
        cmocka_unit_test(effective_settings_of_every_shipped_config_read_back_the_same),
        cmocka_unit_test(awkward_values_read_back_the_same),
        cmocka_unit_test(an_edit_changes_the_text_of_the_stages_that_it_concerns),
        cmocka_unit_test(a_fingerprint_is_the_beginning_of_the_text),
        cmocka_unit_test(a_stages_text_takes_no_setting_of_another),
        cmocka_unit_test(a_stages_text_gives_no_other_stages_text),
        cmocka_unit_test(the_last_override_of_a_setting_counts),
        cmocka_unit_test(overrides_are_split_at_blanks_outside_brackets_and_quotes),
        cmocka_unit_test(one_value_is_given_as_it_is_written),
        cmocka_unit_test(a_later_setting_is_written_only_when_it_has_another_value),
        cmocka_unit_test(the_reference_file_is_what_the_table_says),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
        cmocka_unit_test(no_damage_to_a_file_crashes_the_reader),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
