// SPDX-License-Identifier: BSD-3-Clause
// Numbers and tables of the command line.
#include "../../app/trunkline/format.h"
#include "../../app/trunkline/table.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(format, counts)
{
	static const struct {
		uint64_t v;
		const char *text;
	} cases[] = {
		{0, "0"},
		{7, "7"},
		{999, "999"},
		{1000, "1,000"},
		{8412, "8,412"},
		{1234567, "1,234,567"},
		{9999999, "9,999,999"},
		{10000000, "10.0 M"},
		{123456789, "123 M"},
		{999499999, "999 M"},
		{999500000, "1.00 G"},
		{1200000000, "1.20 G"},
		{UINT64_MAX, "18.4 E"},
	};
	char buf[FORMAT_LEN];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_str_eq(format_count(cases[i].v, buf), cases[i].text);
}

Test(format, units)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0 bit/s"},          {1, "1 bit/s"},         {0.5, "0.5 bit/s"},
		{999, "999 bit/s"},      {999.6, "1.00 kbit/s"}, {51200, "51.2 kbit/s"},
		{41.2e6, "41.2 Mbit/s"}, {3.1e9, "3.10 Gbit/s"}, {9.996e9, "10.0 Gbit/s"},
		{99.96e9, "100 Gbit/s"}, {-1, "0 bit/s"},
	};
	char buf[FORMAT_LEN];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_str_eq(format_unit(cases[i].v, "bit/s", buf), cases[i].text);
}

Test(format, rates)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0/s"},
		{-5, "0/s"},
		{0.01, "<0.1/s"},
		{0.26, "0.3/s"},
		{1, "1/s"},
		{9.94, "9.9/s"},
		{9.96, "10/s"},
		{8412.4, "8,412/s"},
		{99999.4, "99,999/s"},
		{99999.6, "100 k/s"},
		{1204512, "1.20 M/s"},
	};
	char buf[FORMAT_LEN];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_str_eq(format_rate(cases[i].v, buf), cases[i].text);
}

Test(format, durations)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{-1, "never"},         {0, "0 ms"},       {0.012, "12 ms"},
		{0.9994, "999 ms"},    {0.9996, "1.0 s"}, {9.94, "9.9 s"},
		{9.96, "10 s"},        {59.4, "59 s"},    {59.6, "1 min"},
		{161, "2 min 41 s"},   {3600, "1 h"},     {3599.6, "1 h"},
		{11520, "3 h 12 min"}, {86399.6, "1 d"},  {1051200, "12 d 4 h"},
	};
	char buf[FORMAT_LEN];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_str_eq(format_duration(cases[i].v, buf), cases[i].text);
}

Test(format, shares)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0 %"},         {0.00001, "<0.01 %"}, {0.0002, "0.02 %"},
		{0.0099, "0.99 %"}, {0.00999, "1.0 %"},   {0.045, "4.5 %"},
		{0.0999, "10 %"},   {0.38, "38 %"},       {1, "100 %"},
	};
	char buf[FORMAT_LEN];
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_assert_str_eq(format_share(cases[i].v, buf), cases[i].text);
}

// What a table of three columns and two rows looks like.
static char *drawn(unsigned width, bool colour)
{
	struct table *t = table_new();
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	table_column(t, "NAME", false);
	table_column(t, "N", true);
	table_column(t, "LINK", false);
	table_cell(t, "a", MARK_NONE);
	table_cell(t, "1,000", MARK_NONE);
	table_cell(t, "DOWN", MARK_BAD);
	table_cell(t, "long name", MARK_NONE);
	table_cell(t, "1", MARK_NONE);
	table_cell(t, "up", MARK_GOOD);
	table_print(t, out, width, colour);
	table_free(t);
	fclose(out);
	return text;
}

Test(table, layout)
{
	char *text = drawn(0, false);
	cr_assert_str_eq(text, "NAME           N  LINK\n"
			       "a          1,000  DOWN\n"
			       "long name      1  up\n");
	free(text);
	text = drawn(22, false);
	cr_assert_null(strstr(text, "not shown"));
	free(text);
	text = drawn(21, false);
	cr_assert_str_eq(text, "NAME           N\n"
			       "a          1,000\n"
			       "long name      1\n"
			       "(not shown for lack of room: LINK)\n");
	free(text);
	text = drawn(0, true);
	cr_assert_not_null(strstr(text, "\033[1;31mDOWN\033[0m"));
	free(text);
}
