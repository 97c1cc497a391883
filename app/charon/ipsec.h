// SPDX-License-Identifier: GPL-2.0-or-later
// charon's kernel_ipsec_t over the connection to the gateway.
#pragma once

#include <kernel/kernel_ipsec.h>

struct link;

// For kernel_ipsec_register(): there is one.
kernel_ipsec_t *trunkline_ipsec_create(void);
// The connection of the one that was created; NULL if there is none.
struct link *trunkline_link(void);
