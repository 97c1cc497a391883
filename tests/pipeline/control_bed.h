// SPDX-License-Identifier: BSD-3-Clause
// A control thread without workers and without a kernel: the configuration is read from files as the
// daemon does, the mirror is a table of our own.
#pragma once

#include "control_priv.h"

extern unsigned passed, failed;
// Counts, and tells of what did not hold.
bool check(bool holds, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

extern unsigned n_routes; // into tunnels
extern uint32_t no_room;  // a prefix that finds none, network order; 0: none
// Whose tunnel 192.0.2.x/28 is routed into: the name, or "nobody".
const char *whose(const struct control *ctl, unsigned x);

void files_make(void);
void files_remove(void);
// A customer with 192.0.2.x/28 as domain and an SA pair by SPI (0: none); worker -1: any.
void customer_write(const char *name, unsigned gateway, unsigned x, unsigned spi, int worker);
// One whose gateway negotiates its tunnel.
void customer_ike_write(const char *name, unsigned gateway, unsigned x);
void customer_erase(const char *name);
// The rest of the configuration, with its calls.
void pop_write(const char *calls);

struct control *control_make(void);
void control_end(struct control *ctl);
// Reloads; then everything refers to the configuration that is in force (the sanitizer sees if not).
int reload(struct control *ctl);
