// SPDX-License-Identifier: BSD-3-Clause
// Configuration files: the first byte says which one the rest is, 'c' a customer's beside a good main
// file, anything else the main file beside a good customer's.
#include "config/config_build.h"

#include <stdlib.h>
#include <string.h>

static const char good_main[] =
	"pop: p\nworkers: [0, 1]\n"
	"ports:\n- {name: out0, device: 'tap:t0', addresses: [198.18.10.1/24]}\n"
	"- {name: in0, device: 'tap:t1', addresses: [198.18.20.1/24]}\n"
	"media: [{address: 198.18.30.1, ports: 10000-10999, on: in0}]\n"
	"calls:\n- id: one\n  a: {media: 198.18.30.1, remote: '192.0.2.1:4000', customer: acme}\n"
	"  b: {media: 198.18.30.1}\n";
static const char good_customer[] =
	"name: acme\ntier: 1G\ngateway: 203.0.113.9\ndomain: [192.0.2.0/24]\n"
	"sas: [{suite: aes128gcm16, spi_in: 0x1001, spi_out: 0x1002, local: 198.18.10.1,\n"
	"key_in: 000102030405060708090a0b0c0d0e0f10111213,\n"
	"key_out: 100102030405060708090a0b0c0d0e0f10111213}]\n";

static bool group_exists(const char *name)
{
	return strlen(name) < 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config_machine machine = {4, group_exists};
	if (size == 0)
		return 0;
	const struct config_source given = {"given", (const char *)data + 1, size - 1, 0};
	const struct config_source main = {"main", good_main, sizeof(good_main) - 1, 0};
	const struct config_source customer = {"customer", good_customer, sizeof(good_customer) - 1,
					       0};
	bool is_customer = data[0] == 'c';
	char *report = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&report, &len);
	struct config *c = NULL;
	int ret = config_load_sources(&machine, is_customer ? &main : &given,
				      is_customer ? &given : &customer, 1, &c, out);
	fclose(out);
	// A configuration or a reason why there is none, never both; the good file's key in neither.
	if ((ret == 0) != (c != NULL) || (ret > 0) != (len > 0))
		abort();
	if (memmem(report, len, "060708090a0b", 12) != NULL && !is_customer &&
	    memmem(data, size, "060708090a0b", 12) == NULL)
		abort();
	if (c != NULL &&
	    (config_static_change(c, c) != NULL ||
	     (c->n_customers > 0 && !config_customer_equal(&c->customers[0], &c->customers[0]))))
		abort();
	config_free(c);
	free(report);
	return 0;
}
