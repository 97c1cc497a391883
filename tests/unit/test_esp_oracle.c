// SPDX-License-Identifier: BSD-3-Clause
// DPDK's librte_ipsec as the second opinion: random packets in bursts, both directions. What we
// seal it opens, what it seals we open. Its ciphers run in the OpenSSL PMD where that knows the
// suite, so that not even ipsec-mb is shared. Not a Criterion test: EAL starts once.
#include "test_esp_util.h"

#include <netinet/in.h>
#include <rte_cryptodev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ipsec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST 32
#define ROUNDS 64
#define IV_OFFSET (sizeof(struct rte_crypto_op) + sizeof(struct rte_crypto_sym_op))
#define OUTER 20

static struct rte_mempool *mbufs, *ops, *sessions;
static unsigned failures;

#define EXPECT(cond, ...)                                                          \
	do {                                                                       \
		if (!(cond)) {                                                     \
			failures++;                                                \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond); \
			fprintf(stderr, __VA_ARGS__);                              \
			fputc('\n', stderr);                                       \
		}                                                                  \
	} while (0)

// One direction of an SA of librte_ipsec.
struct oracle {
	uint8_t dev;
	struct rte_ipsec_session session;
	struct rte_crypto_sym_xform xform[2];
};

static void cipher_xform(struct oracle *o, const struct pair *p, bool out)
{
	const struct suite *s = &suites[p->spec.suite];
	struct rte_crypto_sym_xform *x = o->xform;
	memset(x, 0, sizeof(o->xform));
	if (s->family != SUITE_CBC_HMAC) {
		x->type = RTE_CRYPTO_SYM_XFORM_AEAD;
		x->aead.op = out ? RTE_CRYPTO_AEAD_OP_ENCRYPT : RTE_CRYPTO_AEAD_OP_DECRYPT;
		x->aead.algo = s->family == SUITE_GCM ? RTE_CRYPTO_AEAD_AES_GCM
						      : RTE_CRYPTO_AEAD_CHACHA20_POLY1305;
		x->aead.key.data = p->material;
		x->aead.key.length = s->key_len;
		x->aead.iv.offset = IV_OFFSET;
		x->aead.iv.length = 12;
		x->aead.digest_length = s->icv_len;
		x->aead.aad_length = p->spec.flags & SA_ESN ? 12 : 8;
		return;
	}
	static const enum rte_crypto_auth_algorithm hash[] = {
		RTE_CRYPTO_AUTH_SHA1_HMAC, RTE_CRYPTO_AUTH_SHA256_HMAC, RTE_CRYPTO_AUTH_SHA384_HMAC,
		RTE_CRYPTO_AUTH_SHA512_HMAC};
	struct rte_crypto_sym_xform *cipher = &x[out ? 0 : 1], *auth = &x[out ? 1 : 0];
	x[0].next = &x[1];
	cipher->type = RTE_CRYPTO_SYM_XFORM_CIPHER;
	cipher->cipher.op = out ? RTE_CRYPTO_CIPHER_OP_ENCRYPT : RTE_CRYPTO_CIPHER_OP_DECRYPT;
	cipher->cipher.algo = RTE_CRYPTO_CIPHER_AES_CBC;
	cipher->cipher.key.data = p->material;
	cipher->cipher.key.length = s->key_len;
	cipher->cipher.iv.offset = IV_OFFSET;
	cipher->cipher.iv.length = 16;
	auth->type = RTE_CRYPTO_SYM_XFORM_AUTH;
	auth->auth.op = out ? RTE_CRYPTO_AUTH_OP_GENERATE : RTE_CRYPTO_AUTH_OP_VERIFY;
	auth->auth.algo = hash[(p->spec.suite - SUITE_AES_CBC_128_SHA1) & 3];
	auth->auth.key.data = p->material + s->key_len;
	auth->auth.key.length = s->auth_len;
	auth->auth.digest_length = s->icv_len;
}

static bool oracle_make(struct oracle *o, const struct pair *p, bool out, uint8_t dev)
{
	uint8_t header[OUTER] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, IPPROTO_ESP};
	memset(o, 0, sizeof(*o));
	o->dev = dev;
	cipher_xform(o, p, out);
	struct rte_ipsec_sa_prm prm = {
		.crypto_xform = o->xform,
		.ipsec_xform =
			{
				.spi = p->spec.spi,
				.direction = out ? RTE_SECURITY_IPSEC_SA_DIR_EGRESS
						 : RTE_SECURITY_IPSEC_SA_DIR_INGRESS,
				.proto = RTE_SECURITY_IPSEC_SA_PROTO_ESP,
				.mode = RTE_SECURITY_IPSEC_SA_MODE_TUNNEL,
				.tunnel.type = RTE_SECURITY_IPSEC_TUNNEL_IPV4,
				.replay_win_sz = out ? 0 : p->spec.window,
				// Out, the first number; in, the last one seen.
				.esn.value = p->spec.first_seq + out,
			},
		.tun = {.hdr_len = OUTER, .next_proto = IPPROTO_IPIP, .hdr = header},
	};
	memcpy(&prm.ipsec_xform.salt, p->material + suites[p->spec.suite].key_len,
	       suites[p->spec.suite].salt_len);
	prm.ipsec_xform.options.esn = (p->spec.flags & SA_ESN) != 0;
	int size = rte_ipsec_sa_size(&prm);
	if (size <= 0)
		return false;
	o->session.sa = aligned_alloc(64, ((size_t)size + 63) & ~63UL);
	if (rte_ipsec_sa_init(o->session.sa, &prm, (uint32_t)size) < 0)
		return false;
	o->session.type = RTE_SECURITY_ACTION_TYPE_NONE;
	o->session.crypto.dev_id = dev;
	o->session.crypto.ses = rte_cryptodev_sym_session_create(dev, o->xform, sessions);
	return o->session.crypto.ses != NULL && rte_ipsec_session_prepare(&o->session) == 0;
}

static void oracle_free(struct oracle *o)
{
	if (o->session.crypto.ses != NULL)
		rte_cryptodev_sym_session_free(o->dev, o->session.crypto.ses);
	free(o->session.sa);
}

// Runs a burst through; returns how many came out good, in front of m.
static unsigned oracle_run(struct oracle *o, struct rte_mbuf **m, unsigned n)
{
	struct rte_crypto_op *op[BURST];
	struct rte_mbuf *done[BURST];
	if (rte_crypto_op_bulk_alloc(ops, RTE_CRYPTO_OP_TYPE_SYMMETRIC, op, (uint16_t)n) == 0)
		return 0;
	unsigned k = rte_ipsec_pkt_crypto_prepare(&o->session, m, op, (uint16_t)n);
	for (unsigned sent = 0; sent < k;)
		sent += rte_cryptodev_enqueue_burst(o->dev, 0, op + sent, (uint16_t)(k - sent));
	unsigned got = 0;
	while (got < k) {
		unsigned more = rte_cryptodev_dequeue_burst(o->dev, 0, op, (uint16_t)(k - got));
		for (unsigned i = 0; i < more; i++) {
			done[got + i] = op[i]->sym->m_src;
			if (op[i]->status != RTE_CRYPTO_OP_STATUS_SUCCESS)
				done[got + i]->ol_flags |= RTE_MBUF_F_RX_SEC_OFFLOAD_FAILED;
			rte_crypto_op_free(op[i]);
		}
		got += more;
	}
	memcpy(m, done, k * sizeof(*m));
	return rte_ipsec_pkt_process(&o->session, m, (uint16_t)k);
}

static struct rte_mbuf *mbuf_of(const void *data, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
	if (m == NULL)
		rte_exit(EXIT_FAILURE, "out of mbufs\n");
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), data, len);
	return m;
}

static unsigned we_seal(struct crypto *c, struct pair *p, struct oracle *o, struct rng *r)
{
	static uint8_t buf[BURST][BUF_SIZE], inner[BURST][BUF_SIZE];
	struct esp_out out[BURST];
	struct rte_mbuf *m[BURST];
	for (unsigned i = 0; i < BURST; i++) {
		uint32_t len = 20 + (uint32_t)(rng_next(r) % 1481);
		inner_make(inner[i], len, 0, false, r);
		memcpy(buf[i] + INNER_AT, inner[i], len);
		out[i] = (struct esp_out){.sa = p->out, .inner = buf[i] + INNER_AT, .len = len};
	}
	esp_encap_burst(c, out, BURST, 0);
	for (unsigned i = 0; i < BURST; i++) {
		m[i] = mbuf_of(out[i].outer, out[i].outer_len);
		m[i]->l3_len = OUTER;
	}
	unsigned good = oracle_run(o, m, BURST);
	EXPECT(good == BURST, "%s: librte_ipsec took %u of %u of our packets",
	       suites[p->spec.suite].name, good, BURST);
	for (unsigned i = 0; i < good; i++)
		EXPECT(m[i]->pkt_len == out[i].len &&
			       memcmp(rte_pktmbuf_mtod(m[i], void *), inner[i], out[i].len) == 0,
		       "%s: packet %u comes out different", suites[p->spec.suite].name, i);
	rte_pktmbuf_free_bulk(m, BURST);
	return good;
}

static unsigned they_seal(struct crypto *c, struct pair *p, struct oracle *o, struct rng *r)
{
	static uint8_t inner[BURST][BUF_SIZE];
	struct rte_mbuf *m[BURST];
	struct esp_in in[BURST];
	uint32_t len[BURST];
	for (unsigned i = 0; i < BURST; i++) {
		len[i] = 20 + (uint32_t)(rng_next(r) % 1481);
		inner_make(inner[i], len[i], 0, false, r);
		m[i] = mbuf_of(inner[i], len[i]);
		m[i]->l3_len = 20;
	}
	unsigned good = oracle_run(o, m, BURST), opened = 0;
	EXPECT(good == BURST, "%s: librte_ipsec sealed %u of %u", suites[p->spec.suite].name, good,
	       BURST);
	for (unsigned i = 0; i < good; i++)
		in[i] = (struct esp_in){.sa = p->in,
					.esp = rte_pktmbuf_mtod_offset(m[i], uint8_t *, OUTER),
					.len = m[i]->pkt_len - OUTER};
	esp_decap_burst(c, in, good, 0);
	for (unsigned i = 0; i < good; i++) {
		bool same = in[i].status == ESP_OK && in[i].inner_len == len[i] &&
			    memcmp(in[i].inner, inner[i], len[i]) == 0;
		EXPECT(same, "%s: packet %u: status %u", suites[p->spec.suite].name, i,
		       in[i].status);
		opened += same;
	}
	rte_pktmbuf_free_bulk(m, BURST);
	return opened;
}

static unsigned compare(struct crypto *c, enum suite_id suite, bool esn, uint8_t dev)
{
	struct rng r = {suite * 2u + esn + 1};
	struct pair p;
	struct oracle out, in;
	unsigned packets = 0;
	pair_spec(&p, suite, esn ? SA_ESN : 0, &r);
	p.spec.first_seq = esn ? 0xffffffff - 1000 : 0; // the upper half moves on the way
	pair_make(&p, c);
	if (oracle_make(&in, &p, false, dev) && oracle_make(&out, &p, true, dev)) {
		for (unsigned i = 0; i < ROUNDS; i++)
			packets += we_seal(c, &p, &in, &r) + they_seal(c, &p, &out, &r);
		oracle_free(&out);
		oracle_free(&in);
	} else {
		EXPECT(false, "librte_ipsec makes no SA of %s: %s", suites[suite].name,
		       rte_strerror(rte_errno));
	}
	pair_free(&p);
	return packets;
}

static bool device_start(uint8_t dev)
{
	struct rte_cryptodev_config conf = {.nb_queue_pairs = 1, .socket_id = SOCKET_ID_ANY};
	struct rte_cryptodev_qp_conf qp = {.nb_descriptors = 256, .mp_session = sessions};
	return rte_cryptodev_configure(dev, &conf) == 0 &&
	       rte_cryptodev_queue_pair_setup(dev, 0, &qp, SOCKET_ID_ANY) == 0 &&
	       rte_cryptodev_start(dev) == 0;
}

int main(int argc, char **argv)
{
	(void)argc;
	char *args[] = {argv[0],
			"--no-huge",
			"-m",
			"128",
			"--no-shconf",
			"--no-pci",
			"--no-telemetry",
			"-l",
			"0",
			"--log-level=3",
			"--vdev",
			"crypto_openssl",
			"--vdev",
			"crypto_aesni_mb"};
	if (rte_eal_init((int)(sizeof(args) / sizeof(args[0])), args) < 0) {
		fprintf(stderr, "EAL does not start: %s\n", rte_strerror(rte_errno));
		return EXIT_FAILURE;
	}
	int openssl = rte_cryptodev_get_dev_id("crypto_openssl");
	int mb = rte_cryptodev_get_dev_id("crypto_aesni_mb");
	if (openssl < 0 || mb < 0) {
		fprintf(stderr, "the crypto PMDs (librte-crypto-openssl, -ipsec-mb) are missing\n");
		return EXIT_FAILURE;
	}
	unsigned size = 0, dev[2] = {(unsigned)openssl, (unsigned)mb};
	for (unsigned i = 0; i < 2; i++) {
		unsigned s = rte_cryptodev_sym_get_private_session_size((uint8_t)dev[i]);
		size = s > size ? s : size;
	}
	mbufs = rte_pktmbuf_pool_create("mbufs", 1023, 0, 0, 4096, SOCKET_ID_ANY);
	ops = rte_crypto_op_pool_create("ops", RTE_CRYPTO_OP_TYPE_SYMMETRIC, 1023, 0, 64,
					SOCKET_ID_ANY);
	sessions = rte_cryptodev_sym_session_pool_create("sessions", 64, size, 0, 0, SOCKET_ID_ANY);
	struct crypto *c = crypto_new();
	if (mbufs == NULL || ops == NULL || sessions == NULL || c == NULL ||
	    !device_start((uint8_t)openssl) || !device_start((uint8_t)mb)) {
		fprintf(stderr, "no memory for the pools, or the crypto devices do not start\n");
		return EXIT_FAILURE;
	}
	unsigned packets = 0;
	for (int suite = 0; suite < SUITE_COUNT; suite++) {
		bool chacha = suites[suite].family == SUITE_CHACHA;
		for (int esn = 0; esn < 2; esn++) {
			unsigned n = compare(c, suite, esn, (uint8_t)(chacha ? mb : openssl));
			printf("%-18s %-4s %-16s %u packets\n", suites[suite].name,
			       esn ? "ESN" : "", chacha ? "crypto_aesni_mb" : "crypto_openssl", n);
			EXPECT(n == ROUNDS * BURST * 2, "%u packets compared", n);
			packets += n;
		}
	}
	printf("%u packets compared with librte_ipsec, %u failures\n", packets, failures);
	crypto_free(c);
	rte_eal_cleanup();
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
