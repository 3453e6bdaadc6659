#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/config.h"
#include "io/instance.h"
#include "io/settings.h"

/* The experiment's settings as that stage has them. */
static struct config *settings_of(const char *stage)
{
    struct instance instance;
    char *problems, **overrides;
    assert_true(instance_find(stage, &instance));
    int n = config_split_overrides(instance.presets, &overrides);
    struct config *config = config_read("configs/quickstart.yaml",
                                        (const char *const *)overrides, n, &problems);
    if (!config)
        fail_msg("%s: %s", stage, problems);
    free(overrides);
    return config;
}

static void every_name_is_found_once_and_its_presets_are_settings(void **state)
{
    (void)state;
    const char *const *names = instance_names();
    for (int i = 0; names[i]; i++) {
        config_free(settings_of(names[i]));
        for (int j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
}

/* A preset is a setting that the stage uses, or it would change nothing. */
static void a_preset_is_a_setting_that_the_stage_uses(void **state)
{
    (void)state;
    const char *const *names = instance_names();
    for (int i = 0; names[i]; i++) {
        struct instance instance;
        char **overrides;
        instance_find(names[i], &instance);
        struct config *config = settings_of(names[i]);
        char *text = config_effective(config, names[i]);
        int n = config_split_overrides(instance.presets, &overrides);
        for (int j = 0; j < n; j++) {
            const char *setting = strchr(overrides[j], '.') + 1;
            char line[80];
            snprintf(line, sizeof line, "\n  %.*s: %s\n", (int)strcspn(setting, "="),
                     setting, strchr(setting, '=') + 1);
            if (!strstr(text, line))
                fail_msg("%s: '%s' is not in its settings", names[i], overrides[j]);
        }
        free(overrides);
        free(text);
        config_free(config);
    }
}

static void a_stage_is_an_instance_of_itself(void **state)
{
    (void)state;
    struct instance instance;
    assert_true(instance_find("greedy", &instance));
    assert_string_equal(instance.name, "greedy");
    assert_string_equal(instance.program, "greedy");
    assert_string_equal(instance.presets, "");
    assert_int_equal(instance.use, USE_GREEDY);
}

static void warmup_trains_the_supernets_without_a_pool(void **state)
{
    (void)state;
    static const char *const names[] = {"warmup", "uniform", "fairnas", "uniform_e",
                                        "fairnas_e"};
    for (int i = 0; i < 5; i++) {
        struct instance instance;
        assert_true(instance_find(names[i], &instance));
        assert_string_equal(instance.program, "warmup");
    }
}

static void a_stage_and_any_name_is_an_instance_of_the_stage(void **state)
{
    (void)state;
    struct instance instance;
    assert_true(instance_find("search/of/mine", &instance));
    assert_string_equal(instance.name, "search/of/mine");
    assert_string_equal(instance.program, "search");
    assert_int_equal(instance.use, USE_SEARCH);
    assert_false(instance_find("search/", &instance));
    assert_false(instance_find("searches", &instance));
    assert_false(instance_find("nonesuch/search", &instance));
    assert_false(instance_find("ablation/net9/greedy", &instance));
    assert_false(instance_find("", &instance));
}

/* Table 4: what each of the six networks' chain has, the steps up from uniform training
 * (net1) to all of it (net6). */
static void the_ablation_adds_one_part_after_another(void **state)
{
    (void)state;
    static const struct {
        const char *greedy, *search;
        bool filter, sample, stop, initialise;
    } net[] = {
        {NULL, "search_uniform", 0, 0, 0, false},
        {"ablation/net2/greedy", "ablation/net2/search", true, false, false, false},
        {"ablation/net3/greedy", "ablation/net3/search", false, true, false, false},
        {"ablation/net4/greedy", "ablation/net4/search", true, true, false, false},
        {"greedy", "ablation/net5/search", true, true, true, false},
        {"greedy", "search", true, true, true, true},
    };
    for (size_t i = 0; i < sizeof net / sizeof *net; i++) {
        struct config *search = settings_of(net[i].search);
        assert_int_equal(search->search.initialise_from_pool, net[i].initialise);
        config_free(search);
        if (!net[i].greedy)
            continue;
        struct config *greedy = settings_of(net[i].greedy);
        assert_int_equal(greedy->greedy.filter, net[i].filter);
        assert_int_equal(greedy->greedy.sample_from_pool, net[i].sample);
        assert_int_equal(greedy->greedy.stop_by_turnover, net[i].stop);
        config_free(greedy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_once_and_its_presets_are_settings),
        cmocka_unit_test(a_preset_is_a_setting_that_the_stage_uses),
        cmocka_unit_test(a_stage_is_an_instance_of_itself),
        cmocka_unit_test(warmup_trains_the_supernets_without_a_pool),
        cmocka_unit_test(a_stage_and_any_name_is_an_instance_of_the_stage),
        cmocka_unit_test(the_ablation_adds_one_part_after_another),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
