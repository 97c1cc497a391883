// SPDX-License-Identifier: BSD-3-Clause
#include "ike_bed.h"

#include "esp/esp.h"
#include "ip/ip.h"

#include <event2/event.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct control *ctl;
struct worker *w;
int fd;
struct feed_msg msg;
struct feed_msg event[64];
unsigned n_events;
char path[64];

// ---- the client ----

struct ip_addr addr(uint32_t ip)
{
	return (struct ip_addr){.family = AF_INET, .v4.s_addr = htonl(ip)};
}

int client(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) < 0)
		rte_panic("cannot connect to %s\n", path);
	return s;
}

void turn(void)
{
	for (unsigned i = 0; i < 4; i++)
		event_base_loop(ctl->base, EVLOOP_NONBLOCK);
	defer_poll(ctl->defer);
}

// What has come, until nothing more is there: events are kept, the answer is left in msg.
void gather(void)
{
	struct err err;

	turn();
	while (feed_recv(fd, &msg, 0, &err) == 0) {
		if (msg.id != 0)
			return;
		if (n_events < RTE_DIM(event))
			event[n_events++] = msg;
	}
}

int ask(uint16_t type, const struct feed_msg *body)
{
	static uint32_t id;
	struct feed_msg m = body != NULL ? *body : (struct feed_msg){0};

	m.type = type;
	m.id = ++id;
	memset(&msg, 0, sizeof(msg));
	if (feed_send(fd, &m, 1000) != 0)
		return -EIO;
	gather();
	check(msg.id == id && msg.type == (type | FEED_ANSWER), "request %u has its answer", type);
	return msg.status;
}

unsigned events_of(uint16_t type)
{
	unsigned n = 0;

	gather();
	for (unsigned i = 0; i < n_events; i++)
		n += event[i].type == type;
	return n;
}

unsigned expired(bool hard)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_events; i++)
		n += event[i].type == FEED_EXPIRE && event[i].expire.hard == hard;
	return n;
}

void watch(int64_t ms)
{
	n_events = 0;
	sad_watch(ctl->sad, ike_now() + ms);
	sad_watch(ctl->sad, ike_now() + ms + 1);
	gather();
}

int hello(void)
{
	struct feed_msg m = {.hello = {.version = FEED_VERSION, .instance = 7, .name = "test"}};

	return ask(FEED_HELLO, &m);
}

struct feed_ts ts(uint32_t lo, uint32_t hi)
{
	return (struct feed_ts){addr(lo), addr(hi), 0, 65535, 0};
}

// An SA of acme's; its key is made of its SPI.
struct feed_msg sa_msg(uint32_t spi, bool inbound)
{
	struct feed_msg m = {0};
	struct feed_sa *s = &m.sa;

	s->spi = spi;
	s->reqid = 1;
	s->if_id = ike_number("acme");
	s->flags = inbound ? FEED_INBOUND : 0;
	s->src = (struct ip_endpoint){addr(inbound ? PEER : OURS), 4500};
	s->dst = (struct ip_endpoint){addr(inbound ? OURS : PEER), 4500};
	s->encr = 20;
	s->encr_len = 20;
	memset(s->encr_key, (int)(spi & 0xff), 20);
	s->window = 64;
	s->n_src = s->n_dst = 1;
	s->src_ts[0] = inbound ? ts(0xc0000200, 0xc000020f) : ts(MEDIA, MEDIA);
	s->dst_ts[0] = inbound ? ts(MEDIA, MEDIA) : ts(0xc0000200, 0xc000020f);
	return m;
}

int sa_add(uint32_t spi, bool inbound, uint32_t flags)
{
	struct feed_msg m = sa_msg(spi, inbound);

	m.sa.flags |= flags;
	return ask(FEED_SA_ADD, &m);
}

struct feed_msg id_msg(uint32_t spi, bool inbound)
{
	return (struct feed_msg){.sa_id = {spi, addr(inbound ? PEER : OURS),
					   addr(inbound ? OURS : PEER), 50, ike_number("acme")}};
}

int sa_del(uint32_t spi, bool inbound)
{
	struct feed_msg m = id_msg(spi, inbound);

	return ask(FEED_SA_DEL, &m);
}

int policy(uint16_t type, uint32_t spi)
{
	struct feed_msg m = {.policy = {.dir = FEED_OUT,
					.type = FEED_POLICY_IPSEC,
					.priority = spi != 0 ? 100 : 200,
					.reqid = 1,
					.spi = spi,
					.if_id = ike_number("acme"),
					.src = addr(OURS),
					.dst = addr(PEER),
					.src_ts = ts(MEDIA, MEDIA),
					.dst_ts = ts(0xc0000200, 0xc000020f)}};

	return ask(type, &m);
}

int update(uint32_t spi, bool inbound, uint32_t was, uint32_t is, uint16_t port, bool encap)
{
	struct feed_msg m = {.update = {.id = {spi, addr(inbound ? was : OURS),
					       addr(inbound ? OURS : was), 50, 0},
					.src = {addr(inbound ? is : OURS), inbound ? port : 4500},
					.dst = {addr(inbound ? OURS : is), inbound ? 4500 : port},
					.encap = encap}};

	return ask(FEED_SA_UPDATE, &m);
}

// ---- packets ----

static struct rte_mempool *pool;

static uint32_t be32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return rte_be_to_cpu_32(v);
}

static uint32_t inner_make(uint8_t *ip, uint32_t src, uint32_t dst)
{
	struct rte_ipv4_hdr h = {.version_ihl = 0x45,
				 .time_to_live = 64,
				 .next_proto_id = IPPROTO_UDP,
				 .total_length = rte_cpu_to_be_16(200),
				 .src_addr = rte_cpu_to_be_32(src),
				 .dst_addr = rte_cpu_to_be_32(dst)};
	struct rte_udp_hdr u = {rte_cpu_to_be_16(10000), rte_cpu_to_be_16(4000),
				rte_cpu_to_be_16(180), 0};

	memset(ip, 0, 200);
	ip4_header_cksum_set(&h);
	memcpy(ip, &h, sizeof(h));
	memcpy(ip + 20, &u, sizeof(u));
	return 200;
}

static enum drop_reason drop_of(struct rte_mbuf *m, uint8_t next)
{
	return next == STAGE_drop ? (enum drop_reason)pkt_cold(m)->drop : DROP_COUNT;
}

// A packet to the phone, by the stages behind a relayed call.
struct seen out_send(uint32_t dst)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct seen s = {0};
	uint8_t next;

	m->data_len = (uint16_t)inner_make(rte_pktmbuf_mtod(m, uint8_t *), MEDIA, dst);
	m->pkt_len = m->data_len;
	memset(pkt_tag(m), 0, sizeof(*pkt_tag(m)));
	pkt_tag(m)->customer = customer_find(ctl, "acme");
	pkt_tag(m)->flags = PKT_OURS;
	stage_tier(w, &m, 1, &next);
	if (next == STAGE_esp_encap) {
		stage_esp_encap(w, &m, 1, &next);
		const uint8_t *ip = rte_pktmbuf_mtod(m, uint8_t *);
		const uint8_t *esp = ip + (ip[9] == IPPROTO_UDP ? 28 : 20);
		s.dst = be32_at(ip + 16);
		s.dport = ip[9] == IPPROTO_UDP ? (uint16_t)(be32_at(ip + 20) & 0xffff) : 0;
		if (next != STAGE_drop) {
			s.spi = be32_at(esp);
			s.seq = be32_at(esp + 4);
		}
	}
	s.drop = drop_of(m, next);
	rte_pktmbuf_free(m);
	return s;
}

// The peer's half of an inbound SA.
struct sa_out *peer_make(uint32_t spi, bool encap, uint8_t key, uint64_t seq)
{
	uint8_t material[20];
	struct sa_spec spec = {
		.spi = spi,
		.suite = SUITE_AES_GCM_128,
		.flags = encap ? SA_ENCAP : 0,
		.local = {addr(PEER), 4500},
		.peer = {addr(OURS), 4500},
		.material = material,
		.first_seq = seq,
		.n_selectors = 1,
		.selectors = {
			{.src_hi = ~0u, .dst_hi = ~0u, .sport_hi = 65535, .dport_hi = 65535}}};
	struct sa_out *sa = NULL;
	struct err err;

	memset(material, key, sizeof(material));
	check(sa_out_make(ctl, &spec, &sa, &err) == 0, "the peer's SA");
	return sa;
}

// A packet of the peer's, at its outer IPv4 header.
static struct rte_mbuf *in_make(struct sa_out *peer, uint32_t from, uint16_t port)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t buf[512], *inner = buf + 128;
	struct esp_out op = {.sa = peer, .inner = inner, .len = inner_make(inner, PHONE, MEDIA)};
	uint32_t src = rte_cpu_to_be_32(from);
	uint16_t be = rte_cpu_to_be_16(port);

	esp_encap_burst(ctl->crypto, &op, 1, 1);
	memcpy(op.outer + 12, &src, 4);
	if (op.outer[9] == IPPROTO_UDP)
		memcpy(op.outer + 20, &be, 2);
	memcpy(rte_pktmbuf_append(m, op.outer_len), op.outer, op.outer_len);
	memset(pkt_tag(m), 0, sizeof(*pkt_tag(m)));
	return m;
}

uint8_t in_dispatch(struct sa_out *peer)
{
	struct rte_mbuf *m = in_make(peer, PEER, 0);
	uint8_t next, to = esp_first(w, m);

	if (to != STAGE_early) {
		rte_pktmbuf_free(m);
		return to;
	}
	stage_early(w, &m, 1, &next);
	if (next == STAGE_drop)
		rte_pktmbuf_free(m);
	return next;
}

enum drop_reason in_send(struct sa_out *peer, uint32_t from, uint16_t port)
{
	struct rte_mbuf *m = in_make(peer, from, port);
	uint8_t next;

	stage_esp_decap(w, &m, 1, &next);
	enum drop_reason drop = drop_of(m, next);
	rte_pktmbuf_free(m);
	return drop;
}

void bed_open(void)
{
	struct err err = {""};

	customer_write("acme", 1, 0, 0, 0);
	customer_write("globex", 2, 16, 0x1001, 0);
	pop_write("");
	ctl = control_make();
	ctl->base = event_base_new();
	pool = rte_pktmbuf_pool_create("packets", 1023, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	w = rte_zmalloc("worker", sizeof(*w), 64);
	ctl->plane->lpm =
		rte_lpm_create("none", SOCKET_ID_ANY, &(struct rte_lpm_config){64, 256, 0});
	if (ctl->plane->lpm == NULL || pool == NULL || w == NULL ||
	    worker_init(w, ctl->plane, 0, pool) < 0)
		rte_panic("no worker\n");
	snprintf(path, sizeof(path), "/tmp/ike-feed-%d.sock", (int)getpid());
	if (ike_feed_open(ctl, path, &ctl->ike, &err) < 0)
		rte_panic("no feed: %s\n", err.text);
	fd = client();
}
