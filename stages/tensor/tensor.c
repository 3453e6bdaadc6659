#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

#include "base/die.h"

static const char *const activation_names[] = {
    [ACT_NONE] = "none",     [ACT_RELU] = "relu",         [ACT_RELU6] = "relu6",
    [ACT_HSWISH] = "hswish", [ACT_HSIGMOID] = "hsigmoid", [ACT_SIGMOID] = "sigmoid",
    [ACT_SWISH] = "swish",
};
_Static_assert(sizeof(activation_names) / sizeof(*activation_names) == ACT_COUNT,
               "every activation has a name");

enum activation activation_from_name(const char *name)
{
    enum activation act = 0;
    while (act < ACT_COUNT && strcmp(name, activation_names[act]) != 0)
        act++;
    return act;
}

const char *activation_name(enum activation act)
{
    BUG_IF((unsigned)act >= ACT_COUNT);
    return activation_names[act];
}

static const char *const isa_names[] = {
    [ISA_AVX512] = "avx512",
    [ISA_AVX2] = "avx2",
    [ISA_BASELINE] = "baseline",
};
_Static_assert(sizeof(isa_names) / sizeof(*isa_names) == ISA_COUNT,
               "every instruction set has a name");

/* ISA_COUNT: not chosen yet. */
static enum isa chosen = ISA_COUNT;

/* What -march=x86-64-v4 and -v3 may use and an older processor may lack. */
static bool processor_has(enum isa isa)
{
    switch (isa) {
    case ISA_AVX512:
        return __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && processor_has(ISA_AVX2);
    case ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    default:
        return true;
    }
}

bool tensor_select_isa(const char *name)
{
    for (enum isa isa = 0; isa < ISA_COUNT; isa++)
        if (strcmp(name, isa_names[isa]) == 0 && processor_has(isa)) {
            chosen = isa;
            return true;
        }
    return false;
}

static enum isa best_isa(void)
{
    enum isa isa = 0;
    while (!processor_has(isa))
        isa++;
    return isa;
}

enum isa tensor_isa_index(void)
{
    if (chosen != ISA_COUNT)
        return chosen;
    const char *wanted = getenv("GREEDYNAS_ISA");
    if (!wanted || !*wanted)
        chosen = best_isa();
    else if (!tensor_select_isa(wanted))
        die("GREEDYNAS_ISA is '%s', expected one of avx512, avx2, baseline that this "
            "processor has (the best is %s)",
            wanted, isa_names[best_isa()]);
    return chosen;
}

const char *tensor_isa(void)
{
    return isa_names[tensor_isa_index()];
}
