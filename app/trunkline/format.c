// SPDX-License-Identifier: BSD-3-Clause
#include "format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static char *thousands(uint64_t v, char buf[static FORMAT_LEN])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
	char *out = buf;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			*out++ = ',';
		*out++ = digits[i];
	}
	*out = '\0';
	return buf;
}

// Three digits and the multiple's letter ("" below 1000), rounded before the multiple is chosen.
static const char *scaled(double v, char number[static 16])
{
	static const char *const multiple[] = {"", "k", "M", "G", "T", "P", "E"};
	unsigned m = 0;

	while (v >= 999.5 && m < 6) {
		v /= 1000;
		m++;
	}
	int decimals = v >= 99.95 || (m == 0 && v == floor(v)) ? 0
		       : v >= 9.995                            ? 1
		       : m == 0                                ? 1
							       : 2;
	snprintf(number, 16, "%.*f", decimals, v);
	return multiple[m];
}

char *format_count(uint64_t v, char buf[static FORMAT_LEN])
{
	char number[16];

	if (v < 10000000)
		return thousands(v, buf);
	const char *m = scaled((double)v, number);
	snprintf(buf, FORMAT_LEN, "%s %s", number, m);
	return buf;
}

char *format_unit(double v, const char *unit, char buf[static FORMAT_LEN])
{
	char number[16];
	const char *m = scaled(v < 0 ? 0 : v, number);

	snprintf(buf, FORMAT_LEN, "%s %s%s", number, m, unit);
	return buf;
}

char *format_rate(double v, char buf[static FORMAT_LEN])
{
	char number[16];

	if (v <= 0)
		return memcpy(buf, "0/s", 4);
	if (v < 9.95 && v != floor(v)) {
		snprintf(buf, FORMAT_LEN, v < 0.05 ? "<0.1/s" : "%.1f/s", v);
		return buf;
	}
	if (v < 99999.5) {
		char whole[FORMAT_LEN];
		snprintf(buf, FORMAT_LEN, "%.24s/s", thousands((uint64_t)llround(v), whole));
		return buf;
	}
	const char *m = scaled(v, number);
	snprintf(buf, FORMAT_LEN, "%s %s/s", number, m);
	return buf;
}

char *format_duration(double s, char buf[static FORMAT_LEN])
{
	if (s < 0)
		return memcpy(buf, "never", 6);
	if (s < 0.9995)
		snprintf(buf, FORMAT_LEN, "%.0f ms", s * 1000);
	else if (s < 9.95)
		snprintf(buf, FORMAT_LEN, "%.1f s", s);
	else if (s < 59.5)
		snprintf(buf, FORMAT_LEN, "%.0f s", s);
	else {
		uint64_t t = (uint64_t)llround(s);
		uint64_t big = t / 60, small = t % 60;
		const char *big_unit = "min", *small_unit = "s";
		if (t >= 86400) {
			big = t / 86400;
			small = t % 86400 / 3600;
			big_unit = "d";
			small_unit = "h";
		} else if (t >= 3600) {
			big = t / 3600;
			small = t % 3600 / 60;
			big_unit = "h";
			small_unit = "min";
		}
		int n = snprintf(buf, FORMAT_LEN, "%llu %s", (unsigned long long)big, big_unit);
		if (small > 0 && n < FORMAT_LEN)
			snprintf(buf + n, (size_t)(FORMAT_LEN - n), " %llu %s",
				 (unsigned long long)small, small_unit);
	}
	return buf;
}

char *format_share(double v, char buf[static FORMAT_LEN])
{
	double percent = v * 100;

	if (percent <= 0)
		return memcpy(buf, "0 %", 4);
	if (percent < 0.005)
		return memcpy(buf, "<0.01 %", 8);
	int decimals = percent < 0.995 ? 2 : percent < 9.95 ? 1 : 0;
	snprintf(buf, FORMAT_LEN, "%.*f %%", decimals, percent);
	return buf;
}

char *format_real(double v, char buf[static FORMAT_LEN])
{
	snprintf(buf, FORMAT_LEN, "%.1f", v);
	return buf;
}
