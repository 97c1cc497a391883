// SPDX-License-Identifier: BSD-3-Clause
// Customers' IKE: what a good configuration means, what stands for what is left out, what a reload compares,
// and that keys stay out of everything that is printed.
#include "config_lab.h"
#include "ike/ike.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(config_ike, .init = config_lab_open, .fini = config_lab_close);

#define INITECH 2

static struct config *load(void)
{
	struct config *c = NULL;
	char *report = config_lab_load(&c);
	cr_assert_str_empty(report, "%s", report);
	free(report);
	return c;
}

static const char *addr(const struct ip_addr *a)
{
	static char text[IP_ADDR_STRLEN];
	return ip_addr_str(a, text);
}

static void nets_are(const struct ip_prefix *p, unsigned n, const char *want)
{
	char text[256] = "", one[IP_PREFIX_STRLEN];
	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(text);
		snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
			 ip_prefix_str(&p[i], one));
	}
	cr_expect_str_eq(text, want);
}

Test(config_ike, all_keys)
{
	static const uint8_t psk[16] = {0,    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	struct config *c = load();
	cr_assert_eq(c->n_customers, 3);
	cr_expect_null(c->customers[0].ike);
	const struct config_ike *ike = c->customers[INITECH].ike;
	cr_assert_not_null(ike);
	cr_expect_eq(ike->version, 0);
	cr_assert_eq(ike->psk_len, sizeof(psk));
	cr_expect_eq(memcmp(ike->psk, psk, sizeof(psk)), 0);
	cr_expect_str_eq(addr(&ike->local), "198.18.10.1");
	cr_expect_str_eq(ike->local_id, "pop@ashburn.example.net");
	cr_expect_str_eq(ike->remote_id, "gw.initech.example.net");
	cr_expect(ike->initiate && ike->encap && !ike->mobike);
	cr_assert_eq(ike->n_proposals, 2);
	cr_expect_str_eq(ike->proposals[1], "aes128-sha1-modp2048");
	cr_assert_eq(ike->n_esp, 3);
	cr_expect_str_eq(ike->esp[2], "aes256gcm16-modp2048-modpnone-esn-noesn");
	cr_expect_eq(ike->rekey, 28800);
	cr_expect_eq(ike->child_rekey, 0);
	cr_expect_eq(ike->dpd_delay, 10);
	cr_expect_eq(ike->dpd_timeout, 60);
	cr_expect_eq(ike->window, 128);
	nets_are(ike->local_nets, ike->n_local, "198.18.22.0/24 198.18.23.7/32");
	nets_are(ike->remote_nets, ike->n_remote, "203.0.114.0/26 203.0.114.64/26");
	cr_expect_eq(ike->line, 7);
	config_free(c);
}

Test(config_ike, defaults)
{
	config_lab_write(
		"customers.d/initech.yaml", 0644,
		"name: initech\ntier: none\ngateway: 203.0.113.199\n"
		"domain: [203.0.114.0/25, 203.0.114.128/25]\n"
		"allow: [198.18.22.0/24 udp, 198.18.22.0/23, 198.18.22.7, 198.18.30.0/24]\n"
		"ike: {}\n");
	struct config *c = load();
	const struct config_ike *ike = c->customers[INITECH].ike;
	cr_expect_eq(ike->version, 2);
	cr_expect_str_eq(ike->psk_file, "customers.d/initech.psk");
	cr_expect_str_eq(addr(&ike->local), "198.18.10.1");
	cr_expect_str_eq(ike->local_id, "198.18.10.1");
	cr_expect_str_eq(ike->remote_id, "203.0.113.199");
	cr_expect(!ike->initiate && !ike->encap && ike->mobike);
	cr_expect_eq(ike->rekey, 14400);
	cr_expect_eq(ike->child_rekey, 3600);
	cr_expect_eq(ike->dpd_delay, 30);
	cr_expect_eq(ike->dpd_timeout, 0);
	cr_expect_eq(ike->window, 1024);
	// Media addresses and allowed networks, each once.
	nets_are(ike->local_nets, ike->n_local, "198.18.10.2/32 198.18.22.0/23 198.18.30.0/24");
	nets_are(ike->remote_nets, ike->n_remote, "203.0.114.0/25 203.0.114.128/25");
	for (unsigned i = 0; i < ike->n_esp; i++)
		cr_expect(strstr(ike->esp[i], "ecp") || strstr(ike->esp[i], "modp"),
			  "%s has no forward secrecy", ike->esp[i]);
	config_free(c);
}

Test(config_ike, defaults_of_each_version)
{
	static const struct {
		const char *version;
		unsigned proposals, esp;
	} cases[] = {{"1", 5, 9}, {"2", 2, 2}, {"any", 7, 11}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char text[512];
		snprintf(text, sizeof(text),
			 "name: initech\ntier: none\ngateway: 203.0.113.199\n"
			 "domain: [203.0.114.0/25]\nike: { version: %s }\n",
			 cases[i].version);
		config_lab_write("customers.d/initech.yaml", 0644, text);
		struct config *c = load();
		const struct config_ike *ike = c->customers[INITECH].ike;
		cr_expect_eq(ike->n_proposals, cases[i].proposals, "%s", cases[i].version);
		cr_expect_eq(ike->n_esp, cases[i].esp, "%s", cases[i].version);
		config_free(c);
	}
}

Test(config_ike, gateway_not_known)
{
	config_lab_write("customers.d/initech.yaml", 0644,
			 "name: initech\ntier: none\ndomain: [203.0.114.0/25]\n"
			 "ike: { remote_id: gw.initech.example.net }\n");
	struct config *c = load();
	cr_expect_eq(c->customers[INITECH].gateway.family, 0);
	cr_expect_str_eq(c->customers[INITECH].ike->remote_id, "gw.initech.example.net");
	config_free(c);
}

Test(config_ike, forms_of_keys)
{
	static const struct {
		const char *text, *key;
		size_t len;
	} cases[] = {
		{"correct horse battery\n", "correct horse battery", 21},
		{"correct horse battery", "correct horse battery", 21},
		{"correct horse battery\r\n", "correct horse battery", 21},
		{"  blanks count  \n", "  blanks count  ", 16},
		{"0xZZ is not hexadecimal", NULL, 0},
		{"0X414243444546474849\n", "0X414243444546474849", 20},
		{"0x414243444546474849\n", "ABCDEFGHI", 9},
		{"0sQUJDREVGR0hJ\n", "ABCDEFGHI", 9},
		{"0sQUJDREVGR0hJSg==\n", "ABCDEFGHIJ", 10},
		{"0sQUJDREVGR0hJSks=\n", "ABCDEFGHIJK", 11},
		{"0sQUJDREVGR0hJSks\n", "ABCDEFGHIJK", 11},
		{"0sQUJDREVGR0hJSksA=\n", NULL, 0},
		{"k\xc3\xa9y of eight", "k\xc3\xa9y of eight", 13},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = NULL;
		config_lab_write("customers.d/initech.psk", 0600, cases[i].text);
		char *report = config_lab_load(&c);
		cr_expect_eq(c != NULL, cases[i].key != NULL, "case %zu: %s", i, report);
		cr_expect_null(strstr(report, "hexadecimal of"), "case %zu", i);
		if (c != NULL) {
			const struct config_ike *ike = c->customers[INITECH].ike;
			cr_assert_eq(ike->psk_len, cases[i].len, "case %zu: %zu", i, ike->psk_len);
			cr_expect_eq(memcmp(ike->psk, cases[i].key, cases[i].len), 0, "case %zu",
				     i);
		}
		free(report);
		config_free(c);
	}
}

Test(config_ike, keys_are_never_shown)
{
	static const char *const keys[] = {"topsecret", "topsecret\ntwo", "0xtopsecret",
					   "0s!topsecret", "top"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		struct config *c = NULL;
		config_lab_write("customers.d/initech.psk", 0644, keys[i]);
		char *report = config_lab_load(&c);
		cr_expect_null(c);
		cr_expect_null(strstr(report, "topsecret"), "%s", report);
		free(report);
	}
}

Test(config_ike, what_a_reload_compares)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"version: any", "version: 1"},
		{"local_id: pop@", "local_id: p@"},
		{"remote_id: gw.", "remote_id: g."},
		{"start: initiate", "start: respond"},
		{"ecp384, aes128-sha1-modp2048", "ecp384"},
		{"aes128-sha1, ", ""},
		{"rekey: 28800", "rekey: 28801"},
		{"child_rekey: 0", "child_rekey: 1"},
		{"dpd_delay: 10", "dpd_delay: 11"},
		{"dpd_timeout: 60", "dpd_timeout: 61"},
		{"mobike: no", "mobike: yes"},
		{"encap: yes", "encap: no"},
		{"window: 128", "window: 64"},
		{"198.18.23.7", "198.18.23.8"},
		{", 203.0.114.64/26", ""},
		{"  mobike: no", "  local: 198.18.20.1"},
	};
	struct config *old = load();
	const struct config_customer *was = &old->customers[INITECH];
	cr_expect(config_ike_equal(was->ike, was->ike) && config_ike_equal(NULL, NULL));
	cr_expect_not(config_ike_equal(was->ike, NULL) || config_ike_equal(NULL, was->ike));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		config_lab_reset();
		cr_assert(config_lab_edit("customers.d/initech.yaml", cases[i].from, cases[i].to),
			  "%s is not once there", cases[i].from);
		struct config *c = load();
		cr_expect_not(config_ike_equal(was->ike, c->customers[INITECH].ike), "%s",
			      cases[i].to);
		cr_expect_not(config_customer_equal(was, &c->customers[INITECH]), "%s",
			      cases[i].to);
		config_free(c);
	}
	config_lab_reset();
	config_lab_write("customers.d/initech.psk", 0600, "0x00112233445566778899aabbccddeefe\n");
	struct config *c = load();
	cr_expect_not(config_ike_equal(was->ike, c->customers[INITECH].ike), "another key");
	config_free(c);
	config_free(old);
}

Test(config_ike, numbers_of_names)
{
	cr_expect_eq(ike_number(""), 2166136261u);
	cr_expect_eq(ike_number("a"), 0xe40c292cu); // the test vectors of FNV-1a
	cr_expect_eq(ike_number("foobar"), 0xbf9cf968u);
}

// As charon reads them and compares them: what is alike here is the same gateway there.
Test(config_ike, forms_of_identities)
{
	static const struct {
		const char *text, *form;
	} cases[] = {
		{"acme-gw", "fqdn:acme-gw"},
		{"ACME-GW", "fqdn:acme-gw"},
		{"@acme-gw", "fqdn:acme-gw"},
		{"fqdn:acme-gw", "fqdn:acme-gw"},
		{"DNS:Acme-GW", "fqdn:acme-gw"},
		{"fqdn:@acme-gw", "fqdn:@acme-gw"},
		{"@fqdn:acme-gw", "fqdn:fqdn:acme-gw"},
		{"acme-gw.", "fqdn:acme-gw."},
		{"@203.0.113.9", "fqdn:203.0.113.9"},
		{"203.0.113.009", "fqdn:203.0.113.009"},
		{"203.0.113.9-x", "fqdn:203.0.113.9-x"},
		{"u@X.org", "email:u@x.org"},
		{"@@acme-gw", "email:acme-gw"},
		{"email:U@x.org", "email:u@x.org"},
		{"rfc822:u@x.org", "email:u@x.org"},
		{"userfqdn:u@x.org", "email:u@x.org"},
		{"gw:u@x.org", "email:gw:u@x.org"},
		{"keyid:ACME", "keyid:ACME"},
		{"KeyId:acme", "keyid:acme"},
		{"acme:gw", "keyid:acme:gw"},
		{"203.0.113.9", "203.0.113.9"},
		{"2001:DB8:0::1", "2001:db8::1"},
		// Nobody's, or many's.
		{"ipv4:203.0.113.9", ""},
		{"ipv6:2001:db8::1", ""},
		{"asn1dn:acme", ""},
		{"203.0.113.1-203.0.113.9", ""},
		{"::1-::2", ""},
		{"0.0.0.0", ""},
		{"::", ""},
		{"0::0", ""},
		{"@", ""},
		{"keyid:", ""},
		{"", ""},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char form[IKE_ID_FORM_LEN];
		ike_id_form(cases[i].text, form);
		cr_expect_str_eq(form, cases[i].form, "%s: %s", cases[i].text, form);
	}
}
