// SPDX-License-Identifier: BSD-3-Clause
// Packets into the gateway and out of it, and what has become of them.
#include "esp/esp.h"
#include "ip/ip.h"
#include "world.h"

#include <rte_ethdev.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARDS 128
#define GUARD_ROOM 12288 // in front of the page that nobody may read

unsigned passed, failed;

bool check(bool holds, const char *fmt, ...)
{
	va_list ap;

	passed += holds;
	failed += !holds;
	if (holds)
		return true;
	va_start(ap, fmt);
	printf("FAIL ");
	vprintf(fmt, ap);
	putchar('\n');
	va_end(ap);
	return false;
}

// ---- in ----

static void guard_release(void *buf, void *arg)
{
	(void)buf;
	(void)arg;
}

// Headers are aligned to 2 bytes, so an odd length leaves a byte in front of the page; the sanitizer
// watches that one.
static void guard_odd(const uint8_t *at, unsigned len)
{
#ifdef __SANITIZE_ADDRESS__
	static const uint8_t *last;
	if (last != NULL)
		__asan_unpoison_memory_region(last, 1);
	last = len != 0 ? at : NULL;
	if (len != 0)
		__asan_poison_memory_region(at, 1);
#else
	(void)at;
	(void)len;
#endif
}

// Gives m a buffer that ends right where a page without access begins.
static void guard_attach(struct rte_mbuf *m)
{
	static uint8_t *area;
	static struct rte_mbuf_ext_shared_info shared[GUARDS];
	static unsigned next;
	long page = sysconf(_SC_PAGESIZE);
	size_t each = GUARD_ROOM + (size_t)page;

	if (area == NULL) {
		area = mmap(NULL, GUARDS * each, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (area == MAP_FAILED)
			rte_panic("no memory for guarded buffers\n");
		for (unsigned i = 0; i < GUARDS; i++)
			mprotect(area + i * each + GUARD_ROOM, (size_t)page, PROT_NONE);
	}
	unsigned i = next++ % GUARDS;
	shared[i].free_cb = guard_release;
	rte_mbuf_ext_refcnt_set(&shared[i], 1);
	rte_pktmbuf_attach_extbuf(m, area + i * each, 0, GUARD_ROOM, &shared[i]);
}

void frame_send(struct world *w, unsigned port, const void *frame, uint32_t len, bool guarded)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (m == NULL)
		rte_panic("no buffer\n");
	if (guarded) {
		guard_attach(m);
		m->data_off = (uint16_t)(GUARD_ROOM - len - len % 2);
		guard_odd(rte_pktmbuf_mtod(m, uint8_t *) + len, len % 2);
	} else {
		memset(m->buf_addr, 0xa5, m->buf_len); // nothing of the last user's
	}
	if (len > rte_pktmbuf_tailroom(m))
		rte_panic("packet of %u bytes\n", len);
	memcpy(rte_pktmbuf_mtod(m, void *), frame, len);
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	m->port = (uint16_t)port;
	if (rte_ring_enqueue(w->to[port], m) != 0)
		rte_panic("ring is full\n");
}

void pkt_send(struct world *w, unsigned port, const struct pkt *p, bool guarded)
{
	uint8_t frame[PKT_MAX + 14];
	struct rte_ether_hdr eth = {.dst_addr = w->plane->port[port].mac,
				    .src_addr = {{2, 0, 0, 0, 1, (uint8_t)(port + 1)}},
				    .ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4)};

	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + sizeof(eth), p->ip, p->len);
	frame_send(w, port, frame, p->len + (uint32_t)sizeof(eth), guarded);
}

void worker_rounds(struct world *w, unsigned worker, unsigned n)
{
	while (n-- > 0)
		worker_round(w->worker[worker]);
}

// ---- out ----

// Decrypts what goes to a gateway. False: it is no ESP, or cannot be decrypted.
static bool tunnel_open(struct world *w, struct out *o)
{
	const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)o->ip;
	const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
	bool encap = ip->next_proto_id == IPPROTO_UDP && udp->src_port == RTE_BE16(4500) &&
		     ip->src_addr == rte_cpu_to_be_32(OUTSIDE_IP);
	uint32_t head = encap ? 28 : 20;

	if (!encap && ip->next_proto_id != 50)
		return false;
	unsigned k = o->ip[head + 3];
	if (k >= CUSTOMERS || !check(w->tunnel[k].from_us != NULL, "ESP for nobody"))
		return false;
	struct esp_in op = {.sa = w->tunnel[k].from_us, .esp = o->ip + head, .len = o->len - head};
	esp_decap_burst(w->crypto, &op, 1, 1);
	if (!check(op.status == ESP_OK && rte_be_to_cpu_32(ip->dst_addr) == GATEWAY(k),
		   "ESP to customer %u: status %u", k, op.status))
		return false;
	o->kind = OUT_TUNNEL;
	o->customer = (uint8_t)k;
	o->len = op.inner_len;
	memmove(o->ip, op.inner, op.inner_len);
	return true;
}

static void out_note(struct world *w, struct rte_mbuf *m, unsigned port, enum out_kind kind)
{
	if (w->n_out < OUT_MAX && m->data_len >= 14) {
		struct out *o = &w->out[w->n_out++];
		const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
		o->kind = kind;
		o->port = (uint8_t)port;
		o->customer = 0;
		o->len = m->data_len - 14u;
		memcpy(o->ether, frame, 14);
		if (o->len > sizeof(o->ip))
			o->len = sizeof(o->ip);
		memcpy(o->ip, frame + 14, o->len);
		if (kind == OUT_PLAIN && o->len >= 28) {
			check(ip4_header_ok((const struct rte_ipv4_hdr *)o->ip),
			      "header checksum of what came out");
			tunnel_open(w, o);
		}
	}
	rte_pktmbuf_free(m);
}

void world_drain(struct world *w)
{
	struct rte_mbuf *m;

	for (unsigned i = 0; i < 2; i++) {
		while (rte_ring_dequeue(w->from[i], (void **)&m) == 0)
			out_note(w, m, i, OUT_PLAIN);
		while (rte_ring_dequeue(w->punt[i], (void **)&m) == 0)
			out_note(w, m, i, OUT_KERNEL);
	}
}

void world_run(struct world *w)
{
	for (unsigned i = 0; i < 24; i++) // each may be a hop between workers
		for (unsigned k = 0; k < w->n_workers; k++)
			worker_rounds(w, k, 2);
	for (unsigned k = 0; k < w->n_workers; k++)
		tx_flush(w->worker[k]);
	world_drain(w);
}

void world_mark(struct world *w)
{
	world_drain(w);
	w->n_out = 0;
	for (unsigned i = 0; i < DROP_COUNT; i++)
		w->drops_before[i] += drops(w, (enum drop_reason)i);
}

uint64_t drops(const struct world *w, enum drop_reason reason)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < w->n_workers; k++)
		n += w->worker[k]->drops[reason];
	return n - w->drops_before[reason];
}

uint64_t drops_all(const struct world *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < DROP_COUNT; i++)
		n += drops(w, (enum drop_reason)i);
	return n;
}

// ---- verdicts ----

// "ip-source 1, out by port 1" for messages.
static const char *what_was(const struct world *w)
{
	static const char *const kinds[] = {"plain", "tunnel", "kernel"};
	static char text[512];
	int at = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < DROP_COUNT && at < 400; i++)
		if (drops(w, (enum drop_reason)i) != 0)
			at += snprintf(text + at, sizeof(text) - (size_t)at, "%s %lu; ",
				       drop_info[i].name,
				       (unsigned long)drops(w, (enum drop_reason)i));
	for (unsigned i = 0; i < w->n_out && at < 400; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%s %u (%u bytes); ",
			       kinds[w->out[i].kind],
			       w->out[i].kind == OUT_TUNNEL ? w->out[i].customer : w->out[i].port,
			       w->out[i].len);
	return text;
}

static bool buffers_back(struct world *w, const char *name)
{
	unsigned now = rte_mempool_avail_count(w->pool);

	return check(now == w->buffers, "%s: %d buffers are lost", name, (int)(w->buffers - now));
}

bool check_drop(struct world *w, const char *name, enum drop_reason reason, unsigned n)
{
	world_run(w);
	bool good = check(drops(w, reason) == n && drops_all(w) == n && w->n_out == 0,
			  "%s: want %s %u, saw %s", name, drop_info[reason].name, n, what_was(w));
	good &= buffers_back(w, name);
	world_mark(w);
	return good;
}

bool check_out(struct world *w, const char *name, enum out_kind kind, unsigned which, unsigned n)
{
	unsigned seen = 0;

	world_run(w);
	for (unsigned i = 0; i < w->n_out; i++)
		seen += w->out[i].kind == kind &&
			(kind == OUT_TUNNEL ? w->out[i].customer : w->out[i].port) == which;
	bool good = check(seen == n && w->n_out == n && drops_all(w) == 0,
			  "%s: want %u out of kind %u by %u, saw %s", name, n, kind, which,
			  what_was(w));
	return good & buffers_back(w, name);
}
