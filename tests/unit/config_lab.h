// SPDX-License-Identifier: BSD-3-Clause
// A directory of configuration files that tests may spoil: a copy of tests/check/good.
#pragma once

#include "config/config_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// CONFIG_GOOD, CONFIG_EXAMPLES, CONFIG_MISTAKES and CONFIG_DOCS come from the build.

// Makes the directory and goes there; close removes it.
void config_lab_open(void);
void config_lab_close(void);
// Puts the good configuration back; nothing else stays.
void config_lab_reset(void);
// Puts another directory's trunkline.yaml and customers.d there.
void config_lab_copy(const char *from);
void config_lab_write(const char *file, unsigned mode, const char *text);
void config_lab_remove(const char *file);
// Replaces a text that is there exactly once; false if it is not.
bool config_lab_edit(const char *file, const char *from, const char *to);
// Loads trunkline.yaml for a machine of 8 CPUs on which every group but "nobody-knows" exists.
// Returns the report; free it.
char *config_lab_load(struct config **out);
int config_lab_load_ret(struct config **out, char **report);
// A whole file; free it.
char *config_lab_read(const char *file);
