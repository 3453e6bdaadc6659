#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/build_info.h"

#include <string.h>

/* "version | compiler | variant and flags": the compiler is the one that compiles this.
 */
static void it_says_version_compiler_and_flags(void **state)
{
    (void)state;
    const char *info = build_info(), *version = build_version();
    size_t length = strlen(version);
    assert_true(length > 0);
    assert_memory_equal(info, version, length);
    assert_memory_equal(info + length, " | ", 3);
    const char *compiler = info + length + 3, *flags = strstr(compiler, " | ");
    assert_non_null(flags);
#ifdef __clang__
    assert_true(strstr(compiler, "clang") && strstr(compiler, "clang") < flags);
#else
    assert_true(strstr(compiler, "gcc") && strstr(compiler, "gcc") < flags);
#endif
    assert_non_null(strstr(flags, "-march="));
    assert_null(strstr(flags + 3, " | "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_version_compiler_and_flags),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("build_info", tests, NULL, NULL);
}
