// SPDX-License-Identifier: BSD-3-Clause
#include "path.h"

#include "bound.h"
#include "drive.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PAIRS_MAX 64
#define RAW_MS 3
#define BATCHES 7 // of a pair

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

static const char *srtp_short(enum srtp_suite suite)
{
	static const char *const name[] = {
		[SRTP_NONE] = "none",
		[SRTP_AES_CM_128_80] = "cm128_80",
		[SRTP_AES_CM_128_32] = "cm128_32",
		[SRTP_AES_CM_256_80] = "cm256_80",
		[SRTP_AES_CM_256_32] = "cm256_32",
		[SRTP_AEAD_128] = "gcm128",
		[SRTP_AEAD_256] = "gcm256",
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
	case SCENE_SRTP_PLAIN:
		snprintf(base, sizeof(base), "srtp_%s_relay_plain", srtp_short(c->srtp));
		break;
	case SCENE_PLAIN_SRTP:
		snprintf(base, sizeof(base), "relay_srtp_%s", srtp_short(c->srtp));
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

static bool calls_open(const struct path_case *c, struct raw_calls *l)
{
	if (c->srtp != SRTP_NONE) {
		l->srtp = raw_srtp_open(c->srtp, c->inner_len,
					c->scene == SCENE_SRTP_PLAIN ? CRYPTO_DECRYPT
								     : CRYPTO_ENCRYPT);
		return l->srtp != NULL;
	}
	bool in = c->scene != SCENE_PLAIN_ESP && c->scene != SCENE_PLAIN_PLAIN;
	bool out = c->scene == SCENE_PLAIN_ESP || c->scene == SCENE_ESP_ESP ||
		   c->scene == SCENE_HAIRPIN;

	l->open = in ? raw_open(c->suite, c->inner_len, CRYPTO_DECRYPT, 1) : NULL;
	l->seal = out ? raw_open(c->suite, c->inner_len, CRYPTO_ENCRYPT, 1) : NULL;
	return (!in || l->open != NULL) && (!out || l->seal != NULL);
}

static double calls_measure(const struct raw_calls *l)
{
	double sum = 0;

	if (l->open != NULL)
		sum += raw_measure_there(l->open, RAW_SEQUENTIAL, RAW_MS);
	if (l->seal != NULL)
		sum += raw_measure_there(l->seal, RAW_SEQUENTIAL, RAW_MS);
	if (l->srtp != NULL)
		sum += raw_srtp_measure_there(l->srtp, RAW_MS);
	return sum;
}

enum figure { LIMIT, FLOOR, LEAST, BOUND, PATH, RATIO, STAGED, FIGURES };

struct figures {
	double v[FIGURES][PAIRS_MAX];
	double stage[STAGE_COUNT][PAIRS_MAX];
};

static int pair_measure(const struct bench *b, struct world *w, const struct raw_calls *l,
			struct figures *f, unsigned i, struct path_result *r, struct err *err)
{
	unsigned batch = b->opt.batch;
	struct drive d;
	int rc;

	f->v[LIMIT][i] = calls_measure(l);
	if ((rc = drive_floor(w, batch, BATCHES, &d, err)) < 0)
		return rc;
	f->v[FLOOR][i] = f->v[LEAST][i] = d.cycles;
	if (f->v[LIMIT][i] == 0) {
		f->v[LIMIT][i] = d.cycles;
	} else {
		if ((rc = drive_least(w, batch, BATCHES, l, &d, err)) < 0)
			return rc;
		f->v[LEAST][i] = d.cycles;
	}
	f->v[BOUND][i] = 0;
	if (bound_has(&w->spec)) {
		if ((rc = drive_bound(w, batch, BATCHES, &d, err)) < 0)
			return rc;
		f->v[BOUND][i] = d.cycles;
	}
	if ((rc = drive_batches(w, batch, BATCHES, &d, err)) < 0)
		return rc;
	f->v[PATH][i] = d.cycles;
	f->v[RATIO][i] = d.cycles / f->v[LIMIT][i];
	f->v[STAGED][i] = d.staged;
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		f->stage[s][i] = d.stage[s];
	r->fastest = i == 0 || d.fastest < r->fastest ? d.fastest : r->fastest;
	r->limit_fastest =
		i == 0 || f->v[LIMIT][i] < r->limit_fastest ? f->v[LIMIT][i] : r->limit_fastest;
	r->packets += d.packets;
	return 0;
}

static void figures_read(struct figures *f, unsigned pairs, struct path_result *r)
{
	r->limit = median(f->v[LIMIT], pairs);
	r->floor = median(f->v[FLOOR], pairs);
	r->least = median(f->v[LEAST], pairs);
	r->bound = median(f->v[BOUND], pairs);
	r->cycles = median(f->v[PATH], pairs);
	r->ratio = median(f->v[RATIO], pairs);
	r->staged = median(f->v[STAGED], pairs);
	for (unsigned s = 0; s < STAGE_COUNT; s++)
		r->stage[s] = median(f->stage[s], pairs);
}

int path_measure(const struct bench *b, const struct path_case *c, struct path_result *r,
		 struct err *err)
{
	static struct figures figures;
	struct world_spec spec = {.scene = c->scene,
				  .suite = c->suite,
				  .udp = c->udp,
				  .calls = c->calls,
				  .customers = path_customers(c),
				  .inner_len = c->inner_len,
				  .near = b->opt.near,
				  .srtp = c->srtp};
	unsigned pairs = b->opt.pairs < PAIRS_MAX ? b->opt.pairs : PAIRS_MAX;
	struct raw_calls l = {NULL, NULL, NULL};
	struct world w;
	int rc = world_open(&w, &spec, err);

	memset(r, 0, sizeof(*r));
	if (rc < 0)
		return rc;
	if (!calls_open(c, &l)) {
		rc = err_set(err, -ENOMEM, "no memory for the raw call's buffers");
		goto out;
	}
	ports_burst_set(c->burst);
	for (unsigned i = 0; i < pairs && rc == 0; i++)
		rc = pair_measure(b, &w, &l, &figures, i, r, err);
	figures_read(&figures, pairs, r);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		r->relayed += w.worker->tx_packets[i];
out:
	raw_close(l.open);
	raw_close(l.seal);
	raw_srtp_close(l.srtp);
	world_close(&w);
	return rc;
}
