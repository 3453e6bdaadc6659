#include "tensor/channels.h"
#include "unit/tensors.h"

/* Pixels [5 channels], [20 channels]: of one block of 16 and of two. */
static void chosen_channels_move_and_no_others(void **state)
{
    (void)state;
    enum { PIXELS = 37, FROM = 5, TO = 20, COUNT = 2 };
    const size_t from_padded = channels_padded(FROM), to_padded = channels_padded(TO);
    float *from = drawn_rows(PIXELS, FROM, -1, 1), *to = drawn_rows(PIXELS, TO, -1, 1);
    float *before = drawn_rows(PIXELS, TO, 0, 0);
    memcpy(before, to, PIXELS * to_padded * sizeof(float));
    /* 1, 3 become 17, 18. */
    channels_copy(PIXELS, COUNT, from, &(struct channels){FROM, 1, 2}, to,
                  &(struct channels){TO, 17, 1});
    for (size_t i = 0; i < PIXELS; i++)
        for (size_t c = 0; c < to_padded; c++) {
            float expected = c == 17   ? from[i * from_padded + 1]
                             : c == 18 ? from[i * from_padded + 3]
                                       : before[i * to_padded + c];
            assert_true(to[i * to_padded + c] == expected);
        }
    free(from), free(to), free(before);
}

/* As ShuffleNetV2 takes its input apart: halves by turns, then behind one another. */
static void even_and_odd_channels_make_a_shuffle(void **state)
{
    (void)state;
    float x[16] = {0, 1, 2, 3, 4, 5}, y[16] = {0};
    const float shuffled[16] = {0, 2, 4, 1, 3, 5};
    for (int half = 0; half < 2; half++)
        channels_copy(1, 3, x, &(struct channels){6, half, 2}, y,
                      &(struct channels){6, 3 * half, 1});
    assert_memory_equal(y, shuffled, sizeof(y));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_channels_move_and_no_others),
        cmocka_unit_test(even_and_odd_channels_make_a_shuffle),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
