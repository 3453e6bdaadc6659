/*
 * config_rules.h - settings that are well by themselves but contradict each other.
 */
#ifndef IO_CONFIG_RULES_H
#define IO_CONFIG_RULES_H

#include "io/config.h"
#include "io/settings.h"

/*
 * Adds a problem for every contradiction, at the place of the first of its settings
 * that was written. Rules that involve a bad or missing setting, or one that `use`
 * leaves out, are skipped. filled[]: what became of the rows of config_table.
 */
void config_rules_check(const struct config *config, unsigned use,
                        const struct filled *filled, struct problems *problems);

#endif
