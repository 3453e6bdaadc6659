/*
 * threads.h - how many threads, and where they run.
 *
 * The count is --threads, else SLURM_CPUS_PER_TASK, else OMP_NUM_THREADS, else the
 * number of processors this process may use (the affinity mask, not what the machine
 * has). A variable that is no count is warned of and passed over, one that is more than
 * the mask has is cut; --threads alone may exceed the mask, with a warning.
 *
 * Each OpenMP thread is pinned to its own processor inside that mask, for unpinned
 * threads can end up sharing one; with more threads than processors none is pinned.
 * OpenBLAS is held to one thread: the parallel loops are ours.
 */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

/* requested: 0 = decide. Sets the OpenMP team size, pins, and returns the count. */
int threads_start(int requested);
int threads_count(void);
/* "AMD EPYC 9B45", from /proc/cpuinfo. */
const char *threads_cpu_name(void);
/* "OpenBLAS 0.3.21 DYNAMIC_ARCH SkylakeX ...", in its own words. */
const char *threads_blas_config(void);

#endif
