// SPDX-License-Identifier: BSD-3-Clause
// What is logged is one line, whatever a peer put into it.
#include "base/log.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *logged(const char *text)
{
	static char got[4096];
	FILE *f;

	cr_redirect_stderr();
	log_error("%s", text);
	fflush(stderr);
	f = cr_get_redirected_stderr();
	size_t n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	return got;
}

Test(log, one_line)
{
	unsetenv("JOURNAL_STREAM");
	const char *got = logged("call x\n2026-01-01 00:00:00.000 ended\r\x1b[2J\x7f\tz");
	cr_expect_str_eq(got + strlen("2026-01-01 00:00:00.000 "),
			 "call x?2026-01-01 00:00:00.000 ended??[2J??z\n");
}

Test(log, no_priority_of_its_own)
{
	setenv("JOURNAL_STREAM", "8:1", 1);
	cr_expect_str_eq(logged("x\n<0>fire"), "<3>x?<0>fire\n");
}

Test(log, cut)
{
	char text[3000];

	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	setenv("JOURNAL_STREAM", "8:1", 1);
	cr_expect_eq(strlen(logged(text)), 3 + 1023 + 1);
}
