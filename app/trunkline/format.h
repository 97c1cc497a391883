// SPDX-License-Identifier: BSD-3-Clause
// Numbers for people. Each writes to buf and returns it.
#pragma once

#include <stdint.h>

#define FORMAT_LEN 32

// "8,412"; from ten millions on "12.3 M".
char *format_count(uint64_t v, char buf[static FORMAT_LEN]);
// "41.2 Mbit/s", "288 GB", "0 B": three digits, decimal multiples, unit after it.
char *format_unit(double v, const char *unit, char buf[static FORMAT_LEN]);
// Events a second: "8,412/s", "0.3/s", "1.20 M/s".
char *format_rate(double v, char buf[static FORMAT_LEN]);
// Seconds: "12 ms", "2.4 s", "41 s", "12 min 5 s", "3 h 12 min", "12 d 4 h".
char *format_duration(double s, char buf[static FORMAT_LEN]);
// 0..1: "38 %", "4.5 %", "0.02 %", "<0.01 %", "0 %".
char *format_share(double v, char buf[static FORMAT_LEN]);
// One digit after the point.
char *format_real(double v, char buf[static FORMAT_LEN]);
