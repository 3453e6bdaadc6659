#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "unit/child.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#endif

/* The sanitizer's calloc() shall fail like any other. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

enum { MIB = 1 << 20 };

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    char *memory = memory_zeroed(1000, 3);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(memory[i], 0);
    free(memory);
}

static void nothing_is_memory_too(void **state)
{
    (void)state;
    void *memory = memory_zeroed(0, 8);
    assert_non_null(memory);
    memory = memory_resized(memory, 0, 8);
    assert_non_null(memory);
    free(memory);
}

static void resizing_keeps_what_was_there(void **state)
{
    (void)state;
    int *numbers = memory_resized(NULL, 3, sizeof *numbers);
    for (int i = 0; i < 3; i++)
        numbers[i] = 10 + i;
    numbers = memory_resized(numbers, 100000, sizeof *numbers);
    for (int i = 0; i < 3; i++)
        assert_int_equal(numbers[i], 10 + i);
    free(numbers);
}

static void texts_are_copied_and_formatted(void **state)
{
    (void)state;
    char from[] = "k3e6";
    char *copy = memory_text_copy(from), *text = memory_format("%s/%d", "a", 7);
    from[0] = 'x';
    assert_string_equal(copy, "k3e6");
    assert_string_equal(text, "a/7");
    free(copy);
    free(text);
}

static int take_too_much(const void *count)
{
    free(memory_zeroed(*(const size_t *)count, 4));
    return 0;
}

static int resize_to_too_much(const void *count)
{
    free(memory_resized(NULL, *(const size_t *)count, 4));
    return 0;
}

/* One size is more than there is, the other does not fit in a size_t once multiplied.
 */
static void too_much_memory_is_refused_with_its_size(void **state)
{
    (void)state;
    static const size_t count[] = {(size_t)1 << 60, SIZE_MAX / 2};
    for (int i = 0; i < 2; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "out of memory: %zu x 4 bytes", count[i]);
        struct child child = child_run(take_too_much, &count[i]);
        assert_int_equal(child.code, 1);
        assert_non_null(strstr(child.err, expected));
        child = child_run(resize_to_too_much, &count[i]);
        assert_int_equal(child.code, 1);
        assert_non_null(strstr(child.err, expected));
    }
}

static void an_arena_is_rounded_up_to_huge_pages(void **state)
{
    (void)state;
    static const size_t size[][2] = {
        {0, 2 * MIB}, {1, 2 * MIB}, {2 * MIB, 2 * MIB}, {2 * MIB + 1, 4 * MIB}};
    for (int i = 0; i < 4; i++) {
        struct arena *arena = arena_create(size[i][0]);
        assert_int_equal(arena_capacity(arena), size[i][1]);
        arena_free(arena);
    }
    arena_free(NULL);
}

static void every_page_of_an_arena_is_there_from_the_start(void **state)
{
    (void)state;
    enum { BYTES = 6 * MIB, PAGES = BYTES / 4096 };
    struct arena *arena = arena_create(BYTES);
    void *start = arena_take(arena, 1); /* the first block is at the arena's start */
    static unsigned char resident[PAGES];
    assert_int_equal(mincore(start, BYTES, resident), 0);
    for (int i = 0; i < PAGES; i++)
        assert_true(resident[i] & 1);
    arena_free(arena);
}

/* Sizes of all sorts: none, odd, whole pages, whole blocks. */
static const size_t various[] = {0,    1,   255,   256,  257,  4095, 4096, 4097,
                                 8192, 100, 65536, 1000, 3840, 512,  0,    12345};
enum { VARIOUS = sizeof various / sizeof various[0], ROUNDS = 4 };

static void blocks_are_aligned_and_keep_apart(void **state)
{
    (void)state;
    struct arena *arena = arena_create(4 * MIB);
    unsigned char *block[ROUNDS * VARIOUS];
    for (int i = 0; i < ROUNDS * VARIOUS; i++) {
        block[i] = arena_take(arena, various[i % VARIOUS]);
        assert_int_equal((uintptr_t)block[i] % 256, 0);
        memset(block[i], i, various[i % VARIOUS]);
    }
    for (int i = 0; i < ROUNDS * VARIOUS; i++)
        for (size_t j = 0; j < various[i % VARIOUS]; j++)
            assert_int_equal(block[i][j], i);
    arena_free(arena);
}

static void each_block_stands_256_bytes_further_from_a_small_page(void **state)
{
    (void)state;
    struct arena *arena = arena_create(4 * MIB);
    for (int i = 0; i < ROUNDS * VARIOUS; i++) {
        uintptr_t block = (uintptr_t)arena_take(arena, various[i % VARIOUS]);
        assert_int_equal(block % 4096, 256 * i % 4096);
    }
    arena_free(arena);
}

static void a_planned_arena_has_the_same_places_and_fits(void **state)
{
    (void)state;
    struct arena *planning = arena_create_planning();
    ptrdiff_t planned[ROUNDS * VARIOUS];
    char *first = NULL;
    for (int i = 0; i < ROUNDS * VARIOUS; i++) {
        char *block = arena_take(planning, various[i % VARIOUS]);
        assert_non_null(block);
        first = i ? first : block;
        planned[i] = (ptrdiff_t)((uintptr_t)block - (uintptr_t)first);
        if (i > 0)
            assert_true(planned[i] > planned[i - 1]);
    }
    struct arena *arena = arena_create(arena_peak(planning));
    for (int i = 0; i < ROUNDS * VARIOUS; i++) {
        char *block = arena_take(arena, various[i % VARIOUS]);
        first = i ? first : block;
        assert_int_equal(block - first, planned[i]);
    }
    assert_int_equal(arena_peak(arena), arena_peak(planning));
    arena_free(arena);
    arena_free(planning);
}

/* With no room to spare: the plan is a whole number of huge pages. */
static void a_plan_that_fills_its_pages_fits(void **state)
{
    (void)state;
    struct arena *planning = arena_create_planning();
    arena_take(planning, 256);
    size_t one = arena_peak(planning);
    arena_free(planning);
    size_t rest = one - 256; /* what a block costs besides itself */
    struct arena *arena = arena_create(2 * MIB);
    char *block = arena_take(arena, 2 * MIB - rest);
    memset(block, 1, 2 * MIB - rest);
    assert_int_equal(arena_peak(arena), 2 * MIB);
    arena_free(arena);
}

static void a_plan_may_be_larger_than_any_machine(void **state)
{
    (void)state;
    struct arena *planning = arena_create_planning();
    for (int i = 0; i < 100; i++)
        arena_take(planning, (size_t)1 << 50);
    assert_true(arena_peak(planning) >= 100 * ((size_t)1 << 50));
    arena_free(planning);
}

static void released_memory_is_taken_again_at_the_same_places(void **state)
{
    (void)state;
    struct arena *arena = arena_create(4 * MIB);
    arena_take(arena, 1000);
    size_t mark = arena_mark(arena);
    void *block[VARIOUS];
    for (int i = 0; i < VARIOUS; i++)
        block[i] = arena_take(arena, various[i]);
    size_t peak = arena_peak(arena);
    for (int round = 0; round < 3; round++) {
        arena_release(arena, mark);
        assert_int_equal(arena_mark(arena), mark);
        for (int i = 0; i < VARIOUS; i++)
            assert_ptr_equal(arena_take(arena, various[i]), block[i]);
    }
    assert_int_equal(arena_peak(arena), peak);
    arena_free(arena);
}

static void the_peak_outlives_a_release(void **state)
{
    (void)state;
    struct arena *arena = arena_create(4 * MIB);
    size_t start = arena_mark(arena);
    arena_take(arena, MIB);
    size_t peak = arena_peak(arena);
    assert_true(peak >= MIB && peak <= MIB + 8192);
    arena_release(arena, start);
    arena_take(arena, 100);
    assert_int_equal(arena_peak(arena), peak);
    arena_free(arena);
}

static int take_more_than_there_is(const void *bytes)
{
    struct arena *arena = arena_create_planning();
    arena_take(arena, *(const size_t *)bytes);
    arena_take(arena, *(const size_t *)bytes);
    return 0;
}

static int overfill(const void *argument)
{
    (void)argument;
    struct arena *arena = arena_create(2 * MIB);
    arena_take(arena, MIB);
    arena_take(arena, MIB);
    return 0;
}

static void running_out_of_an_arena_is_a_bug(void **state)
{
    (void)state;
    struct child child = child_run(overfill, NULL);
    assert_int_equal(child.signal, SIGABRT);
    assert_non_null(strstr(child.err, "an arena of 2097152 bytes is full"));
    assert_non_null(strstr(child.err, "1048576 more wanted"));
    static const size_t bytes[] = {SIZE_MAX, SIZE_MAX - 100, (size_t)1 << 60};
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_run(take_more_than_there_is, &bytes[i]).signal, SIGABRT);
}

static int release_the_future(const void *argument)
{
    (void)argument;
    struct arena *arena = arena_create_planning();
    size_t start = arena_mark(arena);
    arena_take(arena, 1000);
    size_t later = arena_mark(arena);
    arena_release(arena, start);
    arena_release(arena, later);
    return 0;
}

static void a_mark_of_what_is_released_is_a_bug(void **state)
{
    (void)state;
    assert_int_equal(child_run(release_the_future, NULL).signal, SIGABRT);
}

#ifdef WITH_ASAN
enum { WHILE_TAKEN = 0, AFTER_RELEASE = 1 };
static int read_at(const void *argument)
{
    const int *where = argument; /* an offset in a block of 1000, and when */
    struct arena *arena = arena_create(MIB);
    arena_take(arena, 256);
    size_t mark = arena_mark(arena);
    volatile char *block = arena_take(arena, 1000);
    block[0] = block[999] = 0;
    if (where[1] == AFTER_RELEASE)
        arena_release(arena, mark);
    int read = block[where[0]];
    arena_free(arena);
    return read;
}

static void the_sanitizer_sees_what_leaves_a_block(void **state)
{
    (void)state;
    static const int outside[][2] = {{-1, WHILE_TAKEN},
                                     {1000, WHILE_TAKEN},
                                     {0, AFTER_RELEASE},
                                     {999, AFTER_RELEASE}};
    static const int inside[][2] = {{0, WHILE_TAKEN}, {999, WHILE_TAKEN}};
    for (int i = 0; i < 4; i++)
        assert_non_null(strstr(child_run(read_at, outside[i]).err, "use-after-poison"));
    for (int i = 0; i < 2; i++)
        assert_int_equal(child_run(read_at, inside[i]).code, 0);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(nothing_is_memory_too),
        cmocka_unit_test(resizing_keeps_what_was_there),
        cmocka_unit_test(texts_are_copied_and_formatted),
        cmocka_unit_test(too_much_memory_is_refused_with_its_size),
        cmocka_unit_test(running_out_of_an_arena_is_a_bug),
        cmocka_unit_test(a_mark_of_what_is_released_is_a_bug),
#ifdef WITH_ASAN
        cmocka_unit_test(the_sanitizer_sees_what_leaves_a_block),
#endif
        cmocka_unit_test(an_arena_is_rounded_up_to_huge_pages),
        cmocka_unit_test(every_page_of_an_arena_is_there_from_the_start),
        cmocka_unit_test(blocks_are_aligned_and_keep_apart),
        cmocka_unit_test(each_block_stands_256_bytes_further_from_a_small_page),
        cmocka_unit_test(a_planned_arena_has_the_same_places_and_fits),
        cmocka_unit_test(a_plan_that_fills_its_pages_fits),
        cmocka_unit_test(a_plan_may_be_larger_than_any_machine),
        cmocka_unit_test(released_memory_is_taken_again_at_the_same_places),
        cmocka_unit_test(the_peak_outlives_a_release),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
