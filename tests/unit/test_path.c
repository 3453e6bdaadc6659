/* Paths as values, as text, as a drawing, and in a map. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "nas/path.h"
#include "unit/spaces.h"

static struct path random_path(struct rng *rng, int n, int ops)
{
    struct path path = {.n = (uint8_t)n};
    for (int l = 0; l < n; l++)
        path.op[l] = (uint8_t)rng_below(rng, (uint32_t)ops);
    return path;
}

static void paths_compare_as_words_do(void **state)
{
    (void)state;
    const struct path a = {3, {1, 2, 0}}, b = {3, {1, 2, 1}}, c = {3, {2, 0, 0}},
                      shorter = {2, {1, 2}};
    assert_true(path_compare(&a, &b) < 0);
    assert_true(path_compare(&b, &a) > 0);
    assert_true(path_compare(&b, &c) < 0);
    assert_true(path_compare(&shorter, &a) < 0);
    assert_true(path_compare(&a, &shorter) > 0);
    assert_int_equal(path_compare(&a, &a), 0);
    assert_true(path_equal(&a, &a));
    assert_false(path_equal(&a, &b));
    assert_false(path_equal(&a, &shorter));
}

static void what_lies_behind_the_last_layer_does_not_count(void **state)
{
    (void)state;
    const struct path a = {2, {1, 2, 7, 7}}, b = {2, {1, 2, 5}};
    assert_true(path_equal(&a, &b));
    assert_true(path_hash(&a) == path_hash(&b));
}

/* All 6561 genotypes in 16384 bins: a fair hash fills 16384 * (1 - exp(-6561/16384)) =
 * 5407 of them; three standard deviations are less than 150. */
static void the_hash_spreads_neighbours_over_its_low_bits(void **state)
{
    (void)state;
    static bool filled[16384];
    int n_filled = 0;
    for (int number = 0; number < 6561; number++) {
        struct path path = {.n = 8};
        for (int l = 0, rest = number; l < 8; l++, rest /= 3)
            path.op[l] = (uint8_t)(rest % 3);
        size_t bin = path_hash(&path) & 16383;
        n_filled += !filled[bin];
        filled[bin] = true;
    }
    assert_in_range(n_filled, 5407 - 150, 5407 + 150);
}

static void text_is_the_tokens_with_spaces_between(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    const struct path path = {8, {0, 1, 2, 0, 0, 2, 1, 1}};
    char text[PATH_TEXT_SIZE];
    path_to_text(&path, &space, text);
    assert_string_equal(text, "id k3e3 k5e6 id id k5e6 k3e3 k3e3");
}

static void a_path_reads_back_from_its_text(void **state)
{
    (void)state;
    struct space space = space_from(mobile_config(se_choices));
    for (uint32_t i = 0; i < 200; i++) {
        struct rng rng = rng_stream(1, RNG_TEST, 0, i);
        struct path path = random_path(&rng, 21, 13), back;
        char text[PATH_TEXT_SIZE], why[200] = "";
        path_to_text(&path, &space, text);
        assert_true(path_parse(&back, &space, text, why, sizeof why));
        assert_int_equal(back.n, 21);
        assert_true(path_equal(&path, &back));
        assert_string_equal(why, "");
    }
}

static void the_longest_text_there_can_be_fits(void **state)
{
    (void)state;
    struct space_config config = mobile_config("k3e3");
    strcpy(config.choices[0], "k3e1000s");
    config.n_stages = 1;
    config.stages[0] = (struct space_stage_config){16, SPACE_LAYERS_MAX, 1};
    struct space space = space_from(config);
    struct path path = path_of_one_op(&space, 0), back;
    char text[PATH_TEXT_SIZE], why[100];
    path_to_text(&path, &space, text);
    assert_int_equal(strlen(text), SPACE_LAYERS_MAX * strlen("k3e1000s ") - 1);
    assert_true(path_parse(&back, &space, text, why, sizeof why));
    assert_true(path_equal(&path, &back));
}

static void any_blanks_separate_tokens(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    struct path path;
    char why[200];
    assert_true(path_parse(&path, &space, "\n id  k3e3\tk5e6 id\r\nid id id  k3e3 \n",
                           why, sizeof why));
    const struct path expected = {8, {0, 1, 2, 0, 0, 0, 0, 1}};
    assert_true(path_equal(&path, &expected));
}

static void a_wrong_token_is_named_with_its_layer_and_the_choices(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    struct path path;
    char why[200];
    assert_false(
        path_parse(&path, &space, "id id k7e6 id id id id id", why, sizeof why));
    assert_string_equal(
        why, "layer 3: 'k7e6' is none of this space's choices (id k3e3 k5e6)");
    assert_false(path_parse(&path, &space, "k3 id id id id id id id", why, sizeof why));
    assert_string_equal(why,
                        "layer 1: 'k3' is none of this space's choices (id k3e3 k5e6)");
}

static void a_wrong_number_of_tokens_is_said_with_the_number_expected(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    struct path path;
    char why[200];
    assert_false(path_parse(&path, &space, "id id", why, sizeof why));
    assert_string_equal(why, "2 ops, but this space has 8 layers");
    assert_false(path_parse(&path, &space, "", why, sizeof why));
    assert_string_equal(why, "0 ops, but this space has 8 layers");
    char many[1000] = "";
    for (int i = 0; i < 100; i++)
        strcat(many, "k5e6 ");
    assert_false(path_parse(&path, &space, many, why, sizeof why));
    assert_string_equal(why, "100 ops, but this space has 8 layers");
}

static void a_message_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    struct path path;
    char why[12];
    memset(why, '~', sizeof why);
    assert_false(path_parse(&path, &space, "nonsense", why, 10));
    assert_string_equal(why, "layer 1: ");
    assert_int_equal(why[10], '~');
}

/* Bars: 40 * 64 / 256 = 10, 40 * 128 / 256 = 20, 40. */
static void a_drawing_shows_stage_stride_shape_op_and_width(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    const struct path path = {8, {0, 0, 1, 0, 2, 2, 0, 1}};
    char text[PATH_DRAW_SIZE];
    path_draw(&path, &space, text, sizeof text);
    assert_string_equal(
        text, " 1 /2 16x16x64    id     ----------\n"
              " 1    16x16x64    id     ..........\n"
              " 2 /2 8x8x128     k3e3   ####################\n"
              " 2    8x8x128     id     ....................\n"
              " 2    8x8x128     k5e6   ####################\n"
              " 3 /2 4x4x256     k5e6   ########################################\n"
              " 3    4x4x256     id     ........................................\n"
              " 3    4x4x256     k3e3   ########################################\n");
}

static void a_drawing_that_does_not_fit_is_cut(void **state)
{
    (void)state;
    struct space space = space_from(macro_config());
    struct path path = path_of_one_op(&space, 1);
    char text[60];
    memset(text, '~', sizeof text);
    path_draw(&path, &space, text, 50);
    assert_int_equal(strlen(text), 49);
    assert_int_equal(text[50], '~');
}

static void a_map_numbers_paths_in_order_of_insertion(void **state)
{
    (void)state;
    struct path_map *map = path_map_create();
    const struct path a = {3, {1, 2, 0}}, b = {3, {1, 2, 1}};
    assert_int_equal(path_map_size(map), 0);
    assert_int_equal(path_map_find(map, &a), -1);
    assert_int_equal(path_map_insert(map, &b), 0);
    assert_int_equal(path_map_insert(map, &a), 1);
    assert_int_equal(path_map_insert(map, &b), 0);
    assert_int_equal(path_map_size(map), 2);
    assert_int_equal(path_map_find(map, &a), 1);
    assert_true(path_equal(path_map_at(map, 0), &b));
    assert_true(path_equal(path_map_at(map, 1), &a));
    path_map_free(map);
    path_map_free(NULL);
}

/* Against a list that is searched from the front; 3^6 genotypes, most drawn often. */
static void a_map_that_grows_equals_a_plain_list(void **state)
{
    (void)state;
    struct path_map *map = path_map_create();
    struct rng rng = rng_stream(2, RNG_TEST, 0, 0);
    static struct path list[729];
    long n = 0;
    for (int draw = 0; draw < 5000; draw++) {
        struct path path = random_path(&rng, 6, 3);
        long at = 0;
        while (at < n && !path_equal(&list[at], &path))
            at++;
        assert_int_equal(path_map_find(map, &path), at < n ? at : -1);
        if (rng_below(&rng, 2) == 0) {
            if (at == n)
                list[n++] = path;
            assert_int_equal(path_map_insert(map, &path), at);
        }
        assert_int_equal(path_map_size(map), n);
    }
    assert_true(n > 500);
    for (long i = 0; i < n; i++)
        assert_true(path_equal(path_map_at(map, i), &list[i]));
    path_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_compare_as_words_do),
        cmocka_unit_test(what_lies_behind_the_last_layer_does_not_count),
        cmocka_unit_test(the_hash_spreads_neighbours_over_its_low_bits),
        cmocka_unit_test(text_is_the_tokens_with_spaces_between),
        cmocka_unit_test(a_path_reads_back_from_its_text),
        cmocka_unit_test(the_longest_text_there_can_be_fits),
        cmocka_unit_test(any_blanks_separate_tokens),
        cmocka_unit_test(a_wrong_token_is_named_with_its_layer_and_the_choices),
        cmocka_unit_test(a_wrong_number_of_tokens_is_said_with_the_number_expected),
        cmocka_unit_test(a_message_that_does_not_fit_is_cut),
        cmocka_unit_test(a_drawing_shows_stage_stride_shape_op_and_width),
        cmocka_unit_test(a_drawing_that_does_not_fit_is_cut),
        cmocka_unit_test(a_map_numbers_paths_in_order_of_insertion),
        cmocka_unit_test(a_map_that_grows_equals_a_plain_list),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
