/*
 * space_lists.h - the settings of the search space that are lists: input, fixed blocks,
 * stages, choices.
 *
 * The rows of these kinds have the offset of a struct space_config; each kind fills its
 * own fields there.
 */
#ifndef IO_SPACE_LISTS_H
#define IO_SPACE_LISTS_H

#include "io/settings.h"

extern const struct setting_kind kind_input, kind_fixed, kind_stages, kind_choices;

#endif
