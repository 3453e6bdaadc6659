#include <stdio.h>

#include "tensor/tensor.h"
#include "unit/child.h"
#include "unit/tensors.h"

static void every_activation_is_found_by_its_name(void **state)
{
    (void)state;
    for (enum activation act = 0; act < ACT_COUNT; act++)
        assert_int_equal(activation_from_name(activation_name(act)), act);
    assert_int_equal(activation_from_name("relu6"), ACT_RELU6);
    assert_int_equal(activation_from_name("ReLU"), ACT_COUNT);
    assert_int_equal(activation_from_name(""), ACT_COUNT);
}

/* 16 floats are 64 bytes; a pixel never shares a line with the next. */
static void channels_are_padded_to_sixteen(void **state)
{
    (void)state;
    assert_int_equal(channels_padded(1), 16);
    assert_int_equal(channels_padded(16), 16);
    assert_int_equal(channels_padded(17), 32);
    assert_int_equal(shape_floats((struct shape){2, 3, 5, 17}), 30 * 32);
    assert_int_equal(shape_pixels((struct shape){2, 3, 5, 17}), 30);
}

/* Framework documentation's formula: floor((in + 2 pad - kernel) / stride) + 1. */
static void a_convolution_keeps_or_halves_the_size(void **state)
{
    (void)state;
    for (int r = 1; r <= 7; r += 2) {
        assert_int_equal(conv_out(28, r, 1), 28);
        assert_int_equal(conv_out(28, r, 2), 14);
        assert_int_equal(conv_out(7, r, 2), 4);
        assert_int_equal(conv_out(1, r, 2), 1);
    }
}

static void a_set_of_kernels_is_selected_by_name(void **state)
{
    (void)state;
    assert_true(tensor_select_isa("baseline"));
    assert_string_equal(tensor_isa(), "baseline");
    assert_int_equal(tensor_isa_index(), ISA_BASELINE);
    assert_false(tensor_select_isa("neon"));
    assert_string_equal(tensor_isa(), "baseline");
}

/* In a child, for the variable is read once in a process's life. */
static int print_isa(const void *wanted)
{
    setenv("GREEDYNAS_ISA", wanted, 1);
    fprintf(stderr, "runs %s", tensor_isa());
    return 0;
}

static void the_environment_names_the_kernels(void **state)
{
    (void)state;
    struct child child = child_run(print_isa, "baseline");
    assert_int_equal(child.code, 0);
    assert_string_equal(child.err, "runs baseline");
    child = child_run(print_isa, "neon");
    assert_int_equal(child.code, 1);
    assert_non_null(strstr(child.err,
                           "GREEDYNAS_ISA is 'neon', expected one of avx512, "
                           "avx2, baseline that this processor has"));
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    const struct CMUnitTest tests[] = {
        /* first, before the choice is made in this process */
        cmocka_unit_test(the_environment_names_the_kernels),
        cmocka_unit_test(every_activation_is_found_by_its_name),
        cmocka_unit_test(channels_are_padded_to_sixteen),
        cmocka_unit_test(a_convolution_keeps_or_halves_the_size),
        cmocka_unit_test(a_set_of_kernels_is_selected_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
