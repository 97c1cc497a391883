// SPDX-License-Identifier: GPL-2.0-or-later
// Between charon's types and the feed's. Functions return 0, or a negative errno where there is no word for
// it: -EAFNOSUPPORT, or -ENOTSUP with a text.
#pragma once

#include "ike/feed.h"

#include <kernel/kernel_ipsec.h>

int addr_of(host_t *h, struct ip_addr *out);
int endpoint_of(host_t *h, struct ip_endpoint *out);
int id_of(kernel_ipsec_sa_id_t *id, struct feed_id *out);
int sa_of(kernel_ipsec_sa_id_t *id, kernel_ipsec_add_sa_t *data, struct feed_sa *out,
	  struct err *err);
// Direction, selectors and customer only.
int selectors_of(kernel_ipsec_policy_id_t *id, struct feed_policy *out, struct err *err);
int policy_of(kernel_ipsec_policy_id_t *id, kernel_ipsec_manage_policy_t *data,
	      struct feed_policy *out, struct err *err);

// The caller destroys what these return. NULL without an address.
host_t *host_of(const struct ip_addr *a, uint16_t port);
traffic_selector_t *ts_of(const struct feed_ts *t);
