// SPDX-License-Identifier: BSD-3-Clause
#include "path.h"

#include "drive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAIRS_MAX 64
#define RAW_MS 3
#define BATCHES 5 // of a pair

const char *suite_short(enum suite_id suite)
{
	static const char *const name[] = {
		[SUITE_AES_GCM_128] = "gcm128",
		[SUITE_AES_GCM_192] = "gcm192",
		[SUITE_AES_GCM_256] = "gcm256",
		[SUITE_AES_CBC_128_SHA1] = "cbc128sha1",
		[SUITE_AES_CBC_128_SHA256] = "cbc128sha256",
		[SUITE_AES_CBC_128_SHA384] = "cbc128sha384",
		[SUITE_AES_CBC_128_SHA512] = "cbc128sha512",
		[SUITE_AES_CBC_256_SHA1] = "cbc256sha1",
		[SUITE_AES_CBC_256_SHA256] = "cbc256sha256",
		[SUITE_AES_CBC_256_SHA384] = "cbc256sha384",
		[SUITE_AES_CBC_256_SHA512] = "cbc256sha512",
		[SUITE_CHACHA20_POLY1305] = "chacha",
	};
	return name[suite];
}

uint32_t path_customers(const struct path_case *c)
{
	uint32_t most = c->calls < CUSTOMERS_DEFAULT ? c->calls : CUSTOMERS_DEFAULT;

	return c->customers != 0 ? c->customers : most;
}

void path_name(const struct path_case *c, char *buf, size_t size)
{
	const char *s = suite_short(c->suite);
	char base[64], customers[16] = "", burst[16] = "", len[16] = "";

	switch (c->scene) {
	case SCENE_TRANSIT:
		snprintf(base, sizeof(base), "esp_%s_transit", s);
		break;
	case SCENE_ESP_PLAIN:
		snprintf(base, sizeof(base), "esp_%s_relay_plain", s);
		break;
	case SCENE_PLAIN_ESP:
		snprintf(base, sizeof(base), "relay_esp_%s", s);
		break;
	case SCENE_ESP_ESP:
		snprintf(base, sizeof(base), "esp_%s_relay_esp", s);
		break;
	case SCENE_HAIRPIN:
		snprintf(base, sizeof(base), "hairpin_%s", s);
		break;
	case SCENE_BOTH:
		snprintf(base, sizeof(base), "both_%s", s);
		break;
	default:
		snprintf(base, sizeof(base), "plain_relay");
	}
	if (c->customers != 0)
		snprintf(customers, sizeof(customers), "_k%u", c->customers);
	if (c->burst != BURST_DEFAULT)
		snprintf(burst, sizeof(burst), "_b%u", c->burst);
	if (c->inner_len != INNER_G711)
		snprintf(len, sizeof(len), "_l%u", c->inner_len);
	snprintf(buf, size, "%s%s_c%u%s%s%s", base, c->udp ? "_udp" : "", c->calls, customers,
		 burst, len);
}

// The raw calls that a packet of the case needs; none for a plain relay.
struct limits {
	struct raw *in, *out;
};

static bool limits_open(const struct path_case *c, struct limits *l)
{
	bool in = c->scene != SCENE_PLAIN_ESP && c->scene != SCENE_PLAIN_PLAIN;
	bool out = c->scene == SCENE_PLAIN_ESP || c->scene == SCENE_ESP_ESP ||
		   c->scene == SCENE_HAIRPIN;

	l->in = in ? raw_open(c->suite, c->inner_len, CRYPTO_DECRYPT, 1) : NULL;
	l->out = out ? raw_open(c->suite, c->inner_len, CRYPTO_ENCRYPT, 1) : NULL;
	return (!in || l->in != NULL) && (!out || l->out != NULL);
}

static double limits_measure(const struct limits *l)
{
	double sum = 0;

	if (l->in != NULL)
		sum += raw_measure_there(l->in, RAW_SEQUENTIAL, RAW_MS);
	if (l->out != NULL)
		sum += raw_measure_there(l->out, RAW_SEQUENTIAL, RAW_MS);
	return sum;
}

static void stages_clear(struct worker *k)
{
	memset(k->stage, 0, sizeof(k->stage));
}

// Sampled cycles of a stage, spread over all packets of the case.
static void stages_read(const struct worker *k, struct path_result *r)
{
	uint64_t all = k->stage[STAGE_classify].packets;

	for (unsigned s = 0; s < STAGE_COUNT; s++) {
		const struct stage_count *c = &k->stage[s];
		r->stage[s] = c->cycle_packets == 0 || all == 0
				      ? 0
				      : (double)c->cycles / (double)c->cycle_packets *
						(double)c->packets / (double)all;
	}
}

static int pair_measure(const struct bench *b, struct world *w, const struct limits *l,
			double limit[], double floor[], double path[], double ratio[], unsigned i,
			struct path_result *r, struct err *err)
{
	struct drive d;
	int rc;

	limit[i] = limits_measure(l);
	if ((rc = drive_floor(w, b->opt.batch, BATCHES, &d, err)) < 0)
		return rc;
	floor[i] = d.cycles;
	if (limit[i] == 0)
		limit[i] = d.cycles;
	if ((rc = drive_batches(w, b->opt.batch, BATCHES, &d, err)) < 0)
		return rc;
	path[i] = d.cycles;
	ratio[i] = d.cycles / limit[i];
	r->fastest = i == 0 || d.fastest < r->fastest ? d.fastest : r->fastest;
	r->packets += d.packets;
	return 0;
}

int path_measure(const struct bench *b, const struct path_case *c, struct path_result *r,
		 struct err *err)
{
	static double limit[PAIRS_MAX], floor[PAIRS_MAX], path[PAIRS_MAX], ratio[PAIRS_MAX];
	struct world_spec spec = {c->scene,          c->suite,     c->udp, c->calls,
				  path_customers(c), c->inner_len, 0};
	unsigned pairs = b->opt.pairs < PAIRS_MAX ? b->opt.pairs : PAIRS_MAX;
	struct limits l = {NULL, NULL};
	struct drive warm;
	struct world w;
	int rc = world_open(&w, &spec, err);

	memset(r, 0, sizeof(*r));
	if (rc < 0)
		return rc;
	if (!limits_open(c, &l)) {
		rc = err_set(err, -ENOMEM, "no memory for the raw call's buffers");
		goto out;
	}
	ports_burst_set(c->burst);
	// Every flow once, so that each cache entry, latch and route is what it is in the middle of calls.
	if ((rc = drive_batches(&w, b->opt.batch, w.n_flows / b->opt.batch + 1, &warm, err)) < 0)
		goto out;
	stages_clear(w.worker);
	for (unsigned i = 0; i < pairs && rc == 0; i++)
		rc = pair_measure(b, &w, &l, limit, floor, path, ratio, i, r, err);
	stages_read(w.worker, r);
	r->limit = median(limit, pairs);
	r->floor = median(floor, pairs);
	r->cycles = median(path, pairs);
	r->ratio = median(ratio, pairs);
out:
	raw_close(l.in);
	raw_close(l.out);
	world_close(&w);
	return rc;
}
