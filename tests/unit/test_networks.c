#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "io/networks.h"

static void assert_network(const char *entry, const char *name, const char *search,
                           const char *value, const char *file)
{
    struct network network;
    char *why = NULL;
    if (!network_parse(&network, entry, "configs/zoo", &why))
        fail_msg("'%s': %s", entry, why);
    assert_string_equal(network.name, name);
    assert_string_equal(network.value, value);
    assert_string_equal(network.search ? network.search : "none", search);
    assert_string_equal(network.file ? network.file : "none", file);
    network_release(&network);
}

static void a_search_gives_what_it_has_found(void **state)
{
    (void)state;
    assert_network("found", "found", "search", "found", "none");
    assert_network("search", "search", "search", "found", "none");
    assert_network("random", "random", "random", "found", "none");
    assert_network("search_fairnas_e", "search_fairnas_e", "search_fairnas_e", "found",
                   "none");
    assert_network("net3", "net3", "ablation/net3/search", "found", "none");
}

static void the_space_gives_its_extremes(void **state)
{
    (void)state;
    assert_network("largest", "largest", "none", "largest", "none");
    assert_network("smallest", "smallest", "none", "smallest", "none");
}

static void published_networks_go_by_their_file(void **state)
{
    (void)state;
    assert_network("mobilenetv2", "mobilenetv2", "none", "found",
                   "configs/zoo/mobilenetv2.yaml");
}

static void tokens_are_called_as_is_said_or_as_they_are(void **state)
{
    (void)state;
    assert_network("mine=k3e6 id", "mine", "none", "k3e6 id", "none");
    assert_network("k3e6 id k5e3s", "k3e6-id-k5e3s", "none", "k3e6 id k5e3s", "none");
    assert_network("one=id", "one", "none", "id", "none");
}

static void assert_refused(const char *entry, const char *expected)
{
    struct network network;
    char *why = NULL;
    assert_false(network_parse(&network, entry, "configs/zoo", &why));
    if (strncmp(why, expected, strlen(expected)) != 0)
        fail_msg("'%s', expected '%s'", why, expected);
    assert_null(network.name);
    free(why);
}

static void what_is_no_network_is_explained(void **state)
{
    (void)state;
    assert_refused("wibble", "'wibble' is no network: there is no search of that name, "
                             "and no 'configs/zoo/wibble.yaml'; expected found,");
    assert_refused("greedy", "'greedy' is no network: there is no search of that name");
    assert_refused("../x", "'../x' gives no file name, expected NAME=TOKENS");
    assert_refused("a/b=k3e6", "'a/b=k3e6' gives no file name");
    assert_refused("=k3e6", "'=k3e6' gives no file name");
    assert_refused("", "'' gives no file name");
}

static void a_name_is_looked_up_in_the_list_first(void **state)
{
    (void)state;
    const struct text_list list = {2, {"found", "largest=k3e3 id"}};
    struct network network;
    char *why = NULL;
    assert_true(network_find(&network, &list, "largest", "configs/zoo", &why));
    assert_string_equal(network.value, "k3e3 id");
    network_release(&network);
    assert_true(network_find(&network, &list, "smallest", "configs/zoo", &why));
    assert_string_equal(network.value, "smallest");
    network_release(&network);
    assert_false(network_find(&network, &list, "mine", "configs/zoo", &why));
    free(why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_gives_what_it_has_found),
        cmocka_unit_test(the_space_gives_its_extremes),
        cmocka_unit_test(published_networks_go_by_their_file),
        cmocka_unit_test(tokens_are_called_as_is_said_or_as_they_are),
        cmocka_unit_test(what_is_no_network_is_explained),
        cmocka_unit_test(a_name_is_looked_up_in_the_list_first),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
