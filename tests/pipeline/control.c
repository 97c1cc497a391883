// SPDX-License-Identifier: BSD-3-Clause
// The control thread's tables under reloads, in any order and when something finds no room.
#include "base/log.h"
#include "control_bed.h"
#include "media/media_priv.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL_ACME                                                                   \
	"calls:\n  - { id: one, timeout: 0, a: { media: 198.18.30.1, port: 10000, " \
	"customer: acme }, b: { media: 198.18.30.1, port: 10100 } }\n"

static void test_locals(struct control *ctl)
{
	struct plane *p = ctl->plane;

	for (uint32_t i = 1; i < 5000; i++) {
		local_set(p, i * 7919, LOCAL_KERNEL, 0, true);
		check(local_lookup(p, i * 7919) != NULL, "address %u is ours", i);
		local_set(p, i * 7919, LOCAL_KERNEL, 0, false);
		check(local_lookup(p, i * 7919) == NULL, "address %u is ours no more", i);
		local_set(p, i * 104729, LOCAL_KERNEL, 0, false); // was never
	}
	check(local_lookup(p, htonl(0xc6121e01)) != NULL, "the media address stays");
	uint32_t in = 0;
	log_level_set(LOG_ERROR - 1); // the refusals below
	for (uint32_t i = 1; i < 400; i++)
		local_set(p, i * 31337, LOCAL_KERNEL, 0, true);
	for (uint32_t i = 1; i < 400; i++)
		in += local_lookup(p, i * 31337) != NULL;
	check(in == LOCALS_MAX - 2, "%u addresses find room beside the media address", in);
	for (uint32_t i = 1; i < 400; i++)
		local_set(p, i * 31337, LOCAL_KERNEL, 0, false);
}

static void test_ports(void)
{
	struct port_pool pool;
	unsigned seen[65536] = {0}, n = 0;
	int port;

	port_pool_open(&pool, 10001, 10100);
	check(port_pool_take(&pool, 10003) == -EADDRINUSE, "an odd port");
	check(port_pool_take(&pool, 10000) == -EADDRINUSE, "a port below the range");
	check(port_pool_take(&pool, 10100) == -EADDRINUSE, "a port whose odd one is above");
	check(port_pool_take(&pool, 10002) == 10002, "a free port");
	check(port_pool_take(&pool, 10002) == -EADDRINUSE, "a taken port");
	check(port_pool_take(&pool, 10003) == -EADDRINUSE, "an odd port of a taken pair");
	while ((port = port_pool_take(&pool, 0)) > 0) {
		check(port % 2 == 0 && port > 10002 && port < 10100 && seen[port]++ == 0,
		      "port %d once", port);
		n++;
	}
	check(port == -ENOSPC && n == 48, "all pairs, then no more: %u", n);
	port_pool_give(&pool, 10050);
	check(port_pool_take(&pool, 0) == 10050, "the one that came back");
	port_pool_close(&pool);
	port_pool_open(&pool, 0, 65535);
	while ((port = port_pool_take(&pool, 0)) > 0)
		n += port == 65534;
	check(port == -ENOSPC && n == 49, "the whole range, without port 0");
	port_pool_close(&pool);
}

static struct config_call call_of(const char *id, uint16_t a, uint16_t b)
{
	struct ip_addr media = {.family = AF_INET, .v4.s_addr = htonl(0xc6121e01)};
	struct config_call cc = {.id = (char *)(uintptr_t)id,
				 .clock_rate = 8000,
				 .timeout = 60,
				 .leg = {{.media = media, .port = a, .dscp = -1, .customer = -1},
					 {.media = media, .port = b, .dscp = -1, .customer = -1}}};

	return cc;
}

static ref_t ref_at(const struct control *ctl, unsigned port)
{
	return ctl->plane->media[0]->leg[port];
}

static void test_calls(struct control *ctl)
{
	struct media_engine *e = ctl->media;
	uint32_t ports = e->ports[0].n, slots = e->n_free_slots;
	unsigned calls = ctl->n_calls;
	struct config_call cc = call_of("odd", 10011, 0);

	check(control_call_add(ctl, &cc, NULL) < 0, "call: odd port");
	cc = call_of("b", 10020, 10021);
	check(control_call_add(ctl, &cc, NULL) < 0, "call: odd port of leg b");
	cc = call_of("b", 10020, 10020);
	check(control_call_add(ctl, &cc, NULL) < 0, "call: one port twice");
	cc = call_of("v6", 0, 0);
	cc.leg[1].remote = (struct ip_endpoint){.addr.family = AF_INET6, .port = 1};
	check(control_call_add(ctl, &cc, NULL) < 0, "call: IPv6");
	cc = call_of("c", 0, 0);
	cc.leg[0].customer = 4000;
	check(control_call_add(ctl, &cc, NULL) < 0, "call: no such customer");
	cc.leg[0].customer = CUSTOMERS_MAX + 1;
	check(control_call_add(ctl, &cc, NULL) < 0, "call: a customer beyond the table");
	check(e->ports[0].n == ports && e->n_free_slots == slots && ctl->n_calls == calls,
	      "what failed took nothing");

	cc = call_of("mux", 10020, 10022);
	cc.leg[0].mux = true;
	check(control_call_add(ctl, &cc, NULL) == 0, "call: muxed");
	check(ref_at(ctl, 10020) != 0 && ref_at(ctl, 10021) == 0 && ref_at(ctl, 10022) != 0 &&
		      ref_at(ctl, 10023) == ref_at(ctl, 10022),
	      "call: the odd port of a muxed leg is nobody's");
	check(control_call_add(ctl, &cc, NULL) == -EEXIST, "call: again");
	check(call_end(ctl, "mux", "delete", NULL) == 0, "call: delete");
	check((ref_at(ctl, 10020) | ref_at(ctl, 10022) | ref_at(ctl, 10023)) == 0, "call: gone");
	unsigned n = 0;
	for (char id[16]; n < 200; n++) {
		snprintf(id, sizeof(id), "n%u", n);
		cc = call_of(id, 0, 0);
		if (control_call_add(ctl, &cc, NULL) < 0)
			break;
	}
	check(n == ports / 2 - 1, "calls until all ports are used or rest: %u", n);
	uint64_t later = rte_rdtsc() + 61 * ctl->plane->tsc_hz;
	for (unsigned i = 0; i < n; i++) { // one in four is silent, one in four on both legs not
		char id[16];
		snprintf(id, sizeof(id), "n%u", i);
		struct leg_pair *pair = call_find(ctl, id)->media->pair;
		for (unsigned side = 0; side < 2; side++)
			if (i >> side & 1)
				pair->leg[side].last_tick = (uint32_t)(later >> TICK_SHIFT);
	}
	media_tick(ctl, later);
	check(ctl->n_calls == calls + n - (n + 3) / 4, "calls end when both legs are silent: %u",
	      ctl->n_calls);
	for (char id[16]; n-- > 0;) {
		snprintf(id, sizeof(id), "n%u", n);
		call_end(ctl, id, "delete", NULL);
	}
	defer_poll(ctl->defer);
	check(e->ports[0].n == 2 && e->n_free_slots == slots && ctl->n_calls == calls,
	      "slots are back at once, ports are not");
	media_tick(ctl, rte_rdtsc() + 9 * ctl->plane->tsc_hz);
	check(e->ports[0].n == 2, "not before their time: %u", e->ports[0].n);
	media_tick(ctl, rte_rdtsc() + 11 * ctl->plane->tsc_hz);
	check(e->ports[0].n == ports && e->ports[0].n_waiting == 0, "everything is back");
	for (unsigned i = 0; i < sizeof(ctl->plane->media[0]->ended); i++)
		check(ctl->plane->media[0]->ended[i] == 0, "no mark is left at %u", 8 * i);
}

// A network that goes from one customer to another, in both orders of their files.
static void test_domains(struct control *ctl)
{
	check(strcmp(whose(ctl, 0), "acme") == 0 && strcmp(whose(ctl, 16), "globex") == 0,
	      "domains at the start");
	customer_write("acme", 1, 32, 0x1001, -1);
	customer_write("globex", 2, 0, 0x1002, -1);
	check(reload(ctl) == 0, "reload");
	check(strcmp(whose(ctl, 0), "globex") == 0 && strcmp(whose(ctl, 16), "nobody") == 0 &&
		      strcmp(whose(ctl, 32), "acme") == 0,
	      "a domain from acme to globex: it is %s's", whose(ctl, 0));
	customer_write("acme", 1, 0, 0x1001, -1);
	customer_write("globex", 2, 16, 0x1002, -1);
	check(reload(ctl) == 0, "reload");
	check(strcmp(whose(ctl, 0), "acme") == 0 && strcmp(whose(ctl, 16), "globex") == 0 &&
		      strcmp(whose(ctl, 32), "nobody") == 0,
	      "and back: it is %s's", whose(ctl, 0));
	customer_write("acme", 1, 16, 0x1001, -1);
	customer_write("globex", 2, 0, 0x1002, -1);
	check(reload(ctl) == 0, "reload");
	check(strcmp(whose(ctl, 0), "globex") == 0 && strcmp(whose(ctl, 16), "acme") == 0,
	      "domains changed places: %s, %s", whose(ctl, 0), whose(ctl, 16));
	customer_write("acme", 1, 0, 0x1001, -1);
	customer_write("globex", 2, 16, 0x1002, -1);
	check(reload(ctl) == 0, "reload");
}

// One customer's change finds no room: the others' changes are in force all the same.
static void test_no_room(struct control *ctl)
{
	no_room = htonl(0xc0000230u);
	customer_write("acme", 1, 48, 0x1001, -1);
	customer_write("initech", 3, 64, 0x1003, -1);
	check(reload(ctl) < 0, "reload without room for acme's domain");
	check(strcmp(whose(ctl, 48), "nobody") == 0 && strcmp(whose(ctl, 16), "globex") == 0,
	      "the others keep theirs");
	no_room = 0;
	customer_write("acme", 1, 0, 0x1001, -1);
	check(reload(ctl) == 0 && strcmp(whose(ctl, 0), "acme") == 0 &&
		      strcmp(whose(ctl, 64), "initech") == 0,
	      "and the next reload puts it right");
}

// Another worker: new objects with the new owner, and a call of the configuration with it.
static void test_moved(struct control *ctl)
{
	uint16_t before = customer_find(ctl, "acme");
	uint16_t owner = ctl->customer[before].plane->owner;

	customer_write("acme", 1, 0, 0x1001, !owner);
	check(reload(ctl) == 0, "reload");
	uint16_t id = customer_find(ctl, "acme");
	const struct call *call = call_find(ctl, "one");
	check(id != 0 && id != before, "the number rests: %u, now %u", before, id);
	check(ctl->customer[id].plane->owner == !owner &&
		      REF_OWNER(ctl->plane->sa_in[0x1001]) == !owner && call != NULL &&
		      call->media->pair->leg[0].customer == id &&
		      call->media->pair->leg[0].owner == !owner &&
		      REF_OWNER(ref_at(ctl, 10000)) == !owner &&
		      REF_OWNER(call->media->pair->leg[1].onward) == !owner,
	      "tunnel and call have moved with the customer");
	check(strcmp(whose(ctl, 0), "acme") == 0, "and its domain");
}

// A customer goes; so does all that is its own, whoever made it, and nothing else.
static void test_gone(struct control *ctl)
{
	struct config_call mine = call_of("mine", 0, 0), free_one = call_of("free", 0, 0);
	struct config_sa sa = ctl->customer[customer_find(ctl, "globex")].config->sas[0];

	mine.leg[1].customer = customer_find(ctl, "acme");
	check(control_call_add(ctl, &mine, NULL) == 0 &&
		      control_call_add(ctl, &free_one, NULL) == 0,
	      "calls by the API");
	// The configured SA of acme is deleted, and globex has one with its SPI.
	sa.spi_in = 0x1001;
	check(control_sa_del(ctl, 0x1001, NULL) == 0 &&
		      control_sa_add(ctl, "globex", &sa, NULL) == 0,
	      "an SPI changes hands by the API");
	customer_erase("acme");
	pop_write("");
	check(reload(ctl) == 0, "reload");
	check(customer_find(ctl, "acme") == 0 && call_find(ctl, "mine") == NULL &&
		      call_find(ctl, "one") == NULL && call_find(ctl, "free") != NULL,
	      "calls of the customer are gone, others not");
	check(strcmp(whose(ctl, 0), "nobody") == 0, "its domain is nobody's");
	check(sa_find(ctl, 0x1001) != NULL && ctl->n_sas == 3, "globex keeps its SPI");
	// The configuration wants it for acme again: it cannot have it, and says so.
	customer_write("acme", 1, 0, 0x1001, -1);
	customer_write("zeta", 9, 128, 0x3041, -1);
	check(reload(ctl) < 0, "an SPI that is another customer's");
	check(sa_find(ctl, 0x3041) != NULL, "what can be applied is");
	customer_erase("zeta");
	check(control_sa_del(ctl, 0x1001, NULL) == 0 && reload(ctl) == 0 &&
		      strcmp(whose(ctl, 0), "acme") == 0,
	      "when it is free, the next reload gives it");
	// As if there had been no room for acme when it came: it goes without having been.
	uint16_t id = customer_find(ctl, "acme");
	control_sa_del(ctl, 0x1001, NULL);
	customer_remove(ctl, id);
	customer_erase("acme");
	check(reload(ctl) == 0 && call_find(ctl, "free") != NULL,
	      "a customer who never was goes: calls of nobody stay");
	check(call_end(ctl, "free", "delete", NULL) == 0, "delete");
}

// An SA goes and there is no memory for the policies without it: they are right all the same.
static void test_no_memory(struct control *ctl)
{
	uint16_t id = customer_find(ctl, "globex");
	struct config_sa sa = ctl->customer[id].config->sas[0];
	void *all[4096];
	unsigned n = 0;

	sa.spi_in = 0x2001;
	check(control_sa_add(ctl, "globex", &sa, NULL) == 0, "a second SA");
	for (size_t size = 64 << 20; size >= 64; size /= 2)
		while (n < RTE_DIM(all) && (all[n] = rte_malloc("fill", size, 64)) != NULL)
			n++;
	check(n < RTE_DIM(all) && rte_malloc("fill", 64, 64) == NULL, "memory is full");
	const struct sa_out *stays = sa_find(ctl, 0x2001)->out;
	check(control_sa_del(ctl, 0x1002, NULL) == 0, "the first SA goes");
	const struct spd *spd = ctl->customer[id].plane->spd;
	check(spd != NULL && spd->n == 1 && spd->sa[0] == stays, "the policies are without it");
	sa.spi_in = 0x2002;
	check(control_sa_add(ctl, "globex", &sa, NULL) == -ENOMEM, "no memory for another");
	while (n > 0)
		rte_free(all[--n]);
	check(control_sa_del(ctl, 0x2001, NULL) == 0 && ctl->customer[id].plane->spd == NULL,
	      "no SA, no policies");
	check(reload(ctl) == 0 && sa_find(ctl, 0x1002) != NULL,
	      "a reload brings back the configured");
}

static void test_selectors(struct control *ctl)
{
	struct config_sa sa = ctl->customer[customer_find(ctl, "globex")].config->sas[0];
	struct ip_prefix *many = calloc(65536, sizeof(*many));

	for (unsigned i = 0; i < 65536; i++)
		many[i] = (struct ip_prefix){.addr = {.family = AF_INET}, .len = 32};
	sa.spi_in = 0x3001;
	sa.local_nets = sa.remote_nets = many;
	sa.n_local = sa.n_remote = 65536; // their product is 0
	check(control_sa_add(ctl, "globex", &sa, NULL) == -EINVAL, "65,536 times 65,536 networks");
	sa.n_local = sa.n_remote = 1;
	many[0].addr.family = AF_INET6;
	check(control_sa_add(ctl, "globex", &sa, NULL) < 0, "an IPv6 network");
	free(many);
}

int main(void)
{
	char *eal[] = {"control", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		       "-m",      "256",       "-l",          "0",        "--log-level=4",
		       NULL};

	if (rte_eal_init((int)RTE_DIM(eal) - 1, eal) < 0)
		return 1;
	alarm(120);
	log_level_set(LOG_ERROR);
	files_make();
	customer_write("acme", 1, 0, 0x1001, -1);
	customer_write("globex", 2, 16, 0x1002, -1);
	pop_write(CALL_ACME);
	struct control *ctl = control_make();
	test_ports();
	test_calls(ctl);
	test_domains(ctl);
	test_no_room(ctl);
	test_moved(ctl);
	test_gone(ctl);
	test_no_memory(ctl);
	test_selectors(ctl);
	test_locals(ctl);
	control_end(ctl);
	files_remove();
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}
