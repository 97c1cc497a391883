// SPDX-License-Identifier: BSD-3-Clause
#include "api_json.h"

#include <stdio.h>

void put_spi(json_t *o, const char *key, uint32_t spi)
{
	char text[16];

	snprintf(text, sizeof(text), "0x%08x", spi);
	put_text(o, key, spi == 0 ? NULL : text);
}

void put_mac(json_t *o, const char *key, const uint8_t mac[static 6])
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	put_text(o, key, text);
}

void put_addr(json_t *o, const char *key, const struct ip_addr *a)
{
	char text[IP_ADDR_STRLEN];

	put_text(o, key, a->family == 0 ? NULL : ip_addr_str(a, text));
}

void put_prefix(json_t *o, const char *key, const struct ip_prefix *p)
{
	char text[IP_PREFIX_STRLEN];

	put_text(o, key, p->addr.family == 0 ? NULL : ip_prefix_str(p, text));
}

void put_endpoint(json_t *o, const char *key, const struct ip_endpoint *e)
{
	char text[IP_ENDPOINT_STRLEN];

	if (e->addr.family == 0 || e->port == 0)
		put_addr(o, key, &e->addr);
	else
		put_text(o, key, ip_endpoint_str(e, text));
}
