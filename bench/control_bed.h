// SPDX-License-Identifier: BSD-3-Clause
// The daemon's own control code (customers, SAs, calls) on a bench world: the same plane that the worker
// under load reads, beside the world's own customers and calls. Kernel and configuration file are left out.
#pragma once

#include "control_priv.h"
#include "world.h"

#define BED_MEDIA 2 // media addresses of the bed's calls
#define BED_CALLS 50000
#define BED_SAS 8192

struct bed {
	struct control *ctl;
	struct config config;
	struct config_media media[MEDIA_MAX];
	struct config_customer world_customer; // what the world's own count as: no domain, no SAs
	struct config_customer customer;       // template of new ones
	struct ip_prefix domain;
	uint32_t first; // plane id of the first new customer
};

int bed_open(struct bed *bed, struct world *w, struct err *err);
void bed_close(struct bed *bed, struct world *w);
// The nth customer, SA pair, call; from 0.
int bed_customer_add(struct bed *bed, unsigned nth, struct err *err);
int bed_sa_add(struct bed *bed, unsigned nth, unsigned n_customers, struct err *err);
int bed_sa_del(struct bed *bed, unsigned nth, struct err *err);
int bed_call_add(struct bed *bed, unsigned nth, unsigned n_customers, struct err *err);
int bed_call_del(struct bed *bed, unsigned nth, struct err *err);
