// SPDX-License-Identifier: BSD-3-Clause
#include "ike.h"

uint32_t ike_number(const char *customer)
{
	uint32_t h = 2166136261u;

	for (const char *p = customer; *p != '\0'; p++)
		h = (h ^ (uint8_t)*p) * 16777619u;
	return h != 0 ? h : 1;
}
