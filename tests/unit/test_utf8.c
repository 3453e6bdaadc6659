/* Texts that are UTF-8, and those that are not, by the tables of RFC 3629. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/utf8.h"

static void characters_of_one_to_four_bytes_are_valid(void **state)
{
    (void)state;
    assert_true(utf8_valid(""));
    assert_true(utf8_valid("train/cat 1.jpg\n"));
    assert_true(utf8_valid("caf\xc3\xa9"));                  /* U+00E9 */
    assert_true(utf8_valid("\xe7\x8c\xab\xf0\x9f\x90\x88")); /* U+732B, U+1F408 */
    /* The first and the last of each length, and beside the surrogates. */
    assert_true(utf8_valid("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"));
    assert_true(utf8_valid("\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

static void everything_else_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "caf\xe9",              /* Latin-1 */
        "caf\xe9/1.jpg",        /* ... in a path */
        "\x80",                 /* a continuation alone */
        "\xc3",                 /* the text ends in a character */
        "\xe7\x8c",             /* ... and here */
        "\xc0\x80",             /* NUL in two bytes */
        "\xc1\xbf",             /* DEL in two */
        "\xe0\x9f\xbf",         /* U+07FF in three */
        "\xf0\x8f\xbf\xbf",     /* U+FFFF in four */
        "\xed\xa0\x80",         /* surrogates */
        "\xed\xbf\xbf",         /* ... */
        "\xf4\x90\x80\x80",     /* U+110000 */
        "\xf8\x88\x80\x80\x80", /* five bytes */
        "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (utf8_valid(bad[i]))
            fail_msg("text %zu is taken for UTF-8", i);
}

static void bytes_that_are_not_ascii_are_shown_as_numbers(void **state)
{
    (void)state;
    char *escaped = utf8_escaped("train/caf\xe9/\xc3\xa9.png");
    assert_string_equal(escaped, "train/caf\\xE9/\\xC3\\xA9.png");
    free(escaped);
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_of_one_to_four_bytes_are_valid),
        cmocka_unit_test(everything_else_is_not),
        cmocka_unit_test(bytes_that_are_not_ascii_are_shown_as_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
