/*
 * config_table.h - the settings of an experiment: one row each, in the order in which
 * they are written.
 */
#ifndef IO_CONFIG_TABLE_H
#define IO_CONFIG_TABLE_H

#include "io/settings.h"

/* The most rows there may be; the table has config_table.n. */
enum { CONFIG_ROWS_MAX = 192 };

/* Rows with the offsets of struct config. */
extern const struct settings config_table;

/* Settings of this section change no result (when a checkpoint is written): it comes
 * last, so that a stage's text without it is the beginning of the text with it. */
#define CONFIG_NEUTRAL_SECTION "checkpoint"

#endif
