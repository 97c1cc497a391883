// SPDX-License-Identifier: BSD-3-Clause
// Fields of answers.
#pragma once

#include "base/net.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static inline void put_int(json_t *o, const char *key, uint64_t v)
{
	json_object_set_new(o, key, json_integer((json_int_t)v));
}

static inline void put_bool(json_t *o, const char *key, bool v)
{
	json_object_set_new(o, key, json_boolean(v));
}

// NULL becomes null.
static inline void put_text(json_t *o, const char *key, const char *v)
{
	json_object_set_new(o, key, v == NULL ? json_null() : json_string(v));
}

// Rounded to thousandths; what is no number becomes 0.
static inline void put_real(json_t *o, const char *key, double v)
{
	json_object_set_new(o, key, json_real(isfinite(v) ? round(v * 1000) / 1000 : 0));
}

// Seconds; negative ("never") becomes null.
static inline void put_age(json_t *o, const char *key, double v)
{
	if (v < 0)
		json_object_set_new(o, key, json_null());
	else
		put_real(o, key, v);
}

void put_spi(json_t *o, const char *key, uint32_t spi);                // "0x...", 0 becomes null
void put_mac(json_t *o, const char *key, const uint8_t mac[static 6]); // "02:..."
void put_addr(json_t *o, const char *key, const struct ip_addr *a);    // family 0 becomes null
void put_prefix(json_t *o, const char *key, const struct ip_prefix *p);
void put_endpoint(json_t *o, const char *key, const struct ip_endpoint *e); // port 0 is left out
