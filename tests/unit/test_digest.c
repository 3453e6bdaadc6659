#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/digest.h"

#include <string.h>

/* The examples of FIPS 180-2, appendix B, and the digest of nothing. */
static const struct {
    const char *text, *digest;
} examples[] = {
    {"", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void the_published_examples_come_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
        char text[DIGEST_SIZE];
        digest_of(examples[i].text, strlen(examples[i].text), text);
        assert_string_equal(text, examples[i].digest);
    }
}

/* A million times "a", FIPS 180-2, appendix B.3. */
static void the_pieces_in_which_bytes_come_do_not_matter(void **state)
{
    (void)state;
    char piece[999], text[DIGEST_SIZE];
    memset(piece, 'a', sizeof(piece));
    struct digest *digest = digest_create();
    for (int i = 0; i < 1001; i++)
        digest_add(digest, piece, sizeof(piece)); /* 999999 */
    digest_add(digest, piece, 0);
    digest_add(digest, piece, 1);
    digest_finish(digest, text);
    assert_string_equal(
        text,
        "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_examples_come_out),
        cmocka_unit_test(the_pieces_in_which_bytes_come_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
