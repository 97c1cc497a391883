// SPDX-License-Identifier: BSD-3-Clause
// Truth tables of the replay window, and a comparison with a set that forgets nothing.
#include "esp/replay.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct win {
	uint64_t bitmap[128], top;
	uint32_t size, mask;
};

static void win_init(struct win *w, uint32_t size, uint64_t top)
{
	w->size = size;
	w->mask = replay_words(size) - 1;
	w->top = top;
	replay_init(w->bitmap, w->mask + 1, top);
}

static bool win_check(const struct win *w, uint64_t seq)
{
	return replay_check(w->bitmap, w->mask, w->size, w->top, seq);
}

static bool win_take(struct win *w, uint64_t seq)
{
	if (!win_check(w, seq))
		return false;
	w->top = replay_update(w->bitmap, w->mask, w->top, seq);
	return true;
}

static const uint32_t sizes[] = {64, 128, 256, 512, 1024, 2048, 4096};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

Test(replay, words)
{
	for (unsigned i = 0; i < N_SIZES; i++) {
		uint32_t words = replay_words(sizes[i]);
		cr_assert((words & (words - 1)) == 0 && words * 64 >= sizes[i] + 64 &&
			  words <= 128);
	}
}

// Each row: a number arrives; is it taken?
Test(replay, table)
{
	for (unsigned i = 0; i < N_SIZES; i++) {
		uint64_t w = sizes[i];
		struct {
			uint64_t seq;
			bool taken;
		} rows[] = {
			{0, false},          {1, true},           {1, false},
			{0, false},          {9, true},           {8, true},
			{7, true},           {7, false},          {8, false},
			{9, false},          {2, true},           {w, true},
			{w, false},          {3, true},           {w - 1, true},
			{w + 1, true},       {1, false},          {2, false},
			{4, true},           {w + 3, true},       {3, false},
			{4, false},          {5, true},           {5, false},
			{w * 2, true},       {w + 1, false},      {w, false},
			{w + 2, true},       {w * 2 - 1, true},   {w * 2, false},
			{w * 3 - 1, true},   {w * 2 - 1, false},  {w * 2 + 1, true},
			{w * 5, true},       {w * 4, false},      {w * 4 + 1, true},
			{w * 4 + 1, false},  {w * 100, true},     {w * 99, false},
			{w * 99 + 1, true},  {w * 100 - 1, true}, {w * 100, false},
			{w * 100 + 1, true},
		};
		struct win win;
		win_init(&win, sizes[i], 0);
		for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
			cr_assert_eq(win_take(&win, rows[r].seq), rows[r].taken,
				     "window %u, row %u, number %llu", sizes[i], r,
				     (unsigned long long)rows[r].seq);
	}
}

// With top at every offset in a word: exactly the window's numbers to the left are open, once.
Test(replay, edges)
{
	for (unsigned i = 0; i < N_SIZES; i++) {
		uint64_t w = sizes[i];
		for (uint64_t top = 10 * w; top < 10 * w + 130; top += 13) {
			struct win win;
			win_init(&win, sizes[i], 0);
			cr_assert(win_take(&win, top));
			for (uint64_t seq = top - 2 * w; seq <= top; seq++) {
				bool open = seq + w > top && seq != top;
				cr_assert_eq(win_take(&win, seq), open,
					     "window %u top %llu seq %llu", sizes[i],
					     (unsigned long long)top, (unsigned long long)seq);
				cr_assert(!win_check(&win, seq));
			}
		}
	}
}

// Starting in the middle: everything up to top counts as seen.
Test(replay, start)
{
	for (unsigned i = 0; i < N_SIZES; i++) {
		uint64_t tops[] = {1, 62, 63, 64, 65, 1000, 0xffffffff, 0x100000000, ~0ULL - 5};
		for (unsigned t = 0; t < sizeof(tops) / sizeof(tops[0]); t++) {
			struct win win;
			win_init(&win, sizes[i], tops[t]);
			for (uint64_t back = 0; back <= 2u * sizes[i] && back <= tops[t]; back++)
				cr_assert(!win_check(&win, tops[t] - back));
			cr_assert(win_take(&win, tops[t] + 2));
			cr_assert(win_take(&win, tops[t] + 1));
			cr_assert(!win_take(&win, tops[t] + 1));
			cr_assert(!win_take(&win, tops[t]));
		}
	}
}

// Without ESN the number space ends at 2^32 - 1: it never wraps.
Test(replay, no_wrap_without_esn)
{
	struct win win;
	win_init(&win, 64, 0);
	cr_assert(win_take(&win, 0xfffffffe));
	cr_assert(win_take(&win, 0xffffffff));
	cr_assert(!win_take(&win, 0xffffffff));
	cr_assert(!win_take(&win, 0));
	cr_assert(!win_take(&win, 1));
	cr_assert(win_take(&win, 0xffffffff - 63));
	cr_assert(!win_take(&win, 0xffffffff - 64));
}

// RFC 4303 A2.2: low 32 bits, top and window give 64 bits.
Test(replay, esn_table)
{
	const uint64_t G = 1ULL << 32;
	struct {
		uint32_t low;
		uint64_t top;
		uint32_t window;
		uint64_t seq;
	} rows[] = {
		// The window lies in one subspace (case A).
		{100, 100, 64, 100},
		{37, 100, 64, 37},
		{36, 100, 64, G + 36}, // left of the window: the next subspace
		{0xffffffff, 100, 64, 0xffffffff},
		{5 * 64, 7 * G + 1000, 64, 8 * G + 320},
		{1000, 7 * G + 1000, 64, 7 * G + 1000},
		{937, 7 * G + 1000, 64, 7 * G + 937},
		{936, 7 * G + 1000, 64, 8 * G + 936},
		// Number 0 left of the first window, and still in it.
		{0, 64, 64, G},
		{0, 63, 64, 0},
		// The bottom of the window is exactly at the border.
		{0, 3 * G + 63, 64, 3 * G},
		{0xffffffff, 3 * G + 63, 64, 3 * G + 0xffffffff},
		// The window spans two subspaces (case B).
		{0xffffffff, 3 * G + 62, 64, 3 * G - 1},
		{0xfffffffe, 3 * G + 62, 64, 3 * G + 0xfffffffe},
		{62, 3 * G + 62, 64, 3 * G + 62},
		{0xffffffc1, 3 * G, 64, 3 * G - 63},
		{0xffffffc0, 3 * G, 64, 3 * G + 0xffffffc0},
		{0, 3 * G, 64, 3 * G},
		{0xfffff001, 3 * G, 4096, 3 * G - 4095},
		{0xfffff000, 3 * G, 4096, 3 * G + 0xfffff000},
		// Crossing upwards.
		{0, 3 * G - 1, 64, 3 * G},
		{1, 0xffffffff, 64, G + 1},
		// Nothing lies in front of the first subspace.
		{0xffffffff, 0, 64, 0xffffffff},
		{0xfffffff0, 10, 64, 0xfffffff0},
		{1, 0, 64, 1},
		{0, 0, 64, 0},
	};
	for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		uint64_t seq = replay_seq_esn(rows[r].low, rows[r].top, rows[r].window);
		cr_expect_eq(seq, rows[r].seq, "row %u: %llx, not %llx", r, (unsigned long long)seq,
			     (unsigned long long)rows[r].seq);
	}
}

// The end of the 64-bit space: what would lie beyond it is refused.
Test(replay, esn_end)
{
	struct win win;
	win_init(&win, 64, ~0ULL - 10);
	uint64_t seq = replay_seq_esn(0xffffffff, win.top, 64);
	cr_assert_eq(seq, ~0ULL);
	cr_assert(win_take(&win, seq));
	cr_assert(!win_take(&win, seq));
	for (uint32_t low = 0; low < 200; low++)
		cr_assert(!win_check(&win, replay_seq_esn(low, win.top, 64)));
}

// A sender that goes on over the border of 2^32 loses nothing, with reordering.
Test(replay, esn_crossing)
{
	for (unsigned i = 0; i < N_SIZES; i++) {
		struct win win;
		uint64_t start = 0xffffffff - 3ULL * sizes[i];
		win_init(&win, sizes[i], start);
		for (uint64_t seq = start + 1; seq < start + 8ULL * sizes[i]; seq += 2) {
			uint64_t later = replay_seq_esn((uint32_t)(seq + 1), win.top, sizes[i]);
			cr_assert_eq(later, seq + 1);
			cr_assert(win_take(&win, later));
			uint64_t now = replay_seq_esn((uint32_t)seq, win.top, sizes[i]);
			cr_assert_eq(now, seq);
			cr_assert(win_take(&win, now));
			cr_assert(!win_take(&win, now));
			cr_assert(!win_take(&win, later));
		}
	}
}

// Random walks against a plain array of everything ever taken.
Test(replay, model)
{
	enum { SPACE = 1 << 18 };
	uint8_t *taken = calloc(SPACE, 1);
	uint64_t x = 88172645463325252ULL;
	for (unsigned i = 0; i < N_SIZES; i++) {
		uint64_t w = sizes[i];
		struct win win;
		win_init(&win, sizes[i], 0);
		memset(taken, 0, SPACE);
		for (int step = 0; step < 200000; step++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			int64_t move = (int64_t)(x >> 20 & 0xffff) % (int64_t)(x & 1 ? 2 * w : 8);
			int64_t seq = (int64_t)win.top + (x >> 3 & 7 ? 3 - move : move);
			if (seq < 0 || seq >= SPACE)
				continue;
			uint64_t s = (uint64_t)seq;
			bool want = s != 0 && !taken[s] && (s > win.top || win.top - s < w);
			cr_assert_eq(win_take(&win, s), want, "window %u top %llu seq %llu",
				     sizes[i], (unsigned long long)win.top, (unsigned long long)s);
			if (want)
				taken[s] = 1;
		}
	}
	free(taken);
}
