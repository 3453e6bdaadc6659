/*
 * leaks.h - what the leak detector should not report in tests with damaged HDF5 files:
 * HDF5 1.10 itself loses a few hundred bytes whenever it refuses to open one.
 */
#ifndef UNIT_LEAKS_H
#define UNIT_LEAKS_H

const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

#endif
