/* clock.h - wall clock, process time and dates as text. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>

/* Seconds of a clock that never jumps. For durations. */
double clock_seconds(void);
/* Processor time of all threads so far, seconds; the largest resident set, bytes. */
double clock_cpu_seconds(void);
double clock_peak_resident_bytes(void);
/* "2026-03-12T14:05:59Z" */
enum { CLOCK_DATE_SIZE = 32 };
void clock_date(char text[CLOCK_DATE_SIZE]);
/* "2h 05m", "4m 12s", "9s"; "-" for seconds < 0 (unknown) and what is not finite. */
void clock_duration(double seconds, char *text, size_t size);

#endif
