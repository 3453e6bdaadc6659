/* build_info.h - what this program was made from. */
#ifndef BASE_BUILD_INFO_H
#define BASE_BUILD_INFO_H

/* "v0.1-3-gabc1234 | gcc (Debian 12.2.0) | release -O2 ..." */
const char *build_info(void);
/* The git description alone. */
const char *build_version(void);

#endif
