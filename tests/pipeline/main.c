// SPDX-License-Identifier: BSD-3-Clause
// The packet path's real stages with packets made by hand: what goes in, and what has to come out or
// be dropped, by name. Needs no root and no hugepages.
#include "world.h"

#include <rte_eal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	void (*run)(void);
} suites_of_tests[] = {
	{"customers", test_customers}, {"calls", test_calls},         {"attack", test_attack},
	{"size", test_size},           {"wire", test_wire},           {"workers", test_workers},
	{"punt", test_punt},           {"srtp", test_srtp},           {"media", test_media},
	{"change", test_media_change}, {"recording", test_recording},
};

int main(int argc, char **argv)
{
	char *eal[] = {
		"pipeline", "--no-huge", "--no-shconf", "--no-pci",      "--no-telemetry", "-m",
		"256",      "-l",        "0",           "--log-level=4", "--iova-mode=va", NULL};

	if (rte_eal_init((int)RTE_DIM(eal) - 1, eal) < 0)
		return 1;
	alarm(300); // a packet that goes in circles hangs its worker
	for (unsigned i = 0; i < RTE_DIM(suites_of_tests); i++)
		if (argc < 2 || strcmp(argv[1], suites_of_tests[i].name) == 0)
			suites_of_tests[i].run();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
