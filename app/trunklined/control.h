// SPDX-License-Identifier: BSD-3-Clause
// The control thread's operations on the plane: the only writer. Everything that the API, the
// configuration and netlink want done goes through here.
#pragma once

#include "base/err.h"
#include "config/config.h"
#include "plane.h"

#include <stdbool.h>
#include <stdint.h>

struct control;

// A static SA pair, as in the configuration or from "sa add"; spi_in must be free in its low 16 bits.
int control_sa_add(struct control *ctl, const char *customer, const struct config_sa *sa,
		   struct err *err);
// What the configuration is checked for, too: -EINVAL if both directions have one key, or a remote network is
// outside the customer's encryption domain; -EPERM if the peer lies in one.
int control_sa_check(struct control *ctl, const char *customer, const struct config_sa *sa,
		     struct err *err);
// Takes away the pair whose inbound SPI this is.
int control_sa_del(struct control *ctl, uint32_t spi_in, struct err *err);

// A call of two legs; *call comes back with the ports that were chosen.
int control_call_add(struct control *ctl, struct config_call *call, struct err *err);
// That one, or a proxy's.
int control_call_del(struct control *ctl, const char *id, struct err *err);

// Read-only views for the API: see control_priv.h for the structures they walk.
