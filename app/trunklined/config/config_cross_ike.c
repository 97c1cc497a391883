// SPDX-License-Identifier: BSD-3-Clause
// Customers' IKE, one against another: who is who must be clear from number, identity and key.
#include "config_build.h"
#include "ike/ike.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	unsigned customer;
	const void *p;
	size_t len;
};

static int id_cmp(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	size_t len = a->len < b->len ? a->len : b->len;
	int d = memcmp(a->p, b->p, len);
	return d != 0 ? d : a->len < b->len ? -1 : a->len > b->len;
}

static int entry_cmp(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int d = id_cmp(a, b);
	return d != 0 ? d : a->customer < b->customer ? -1 : a->customer > b->customer;
}

static bool entry_same(const struct entry *a, const struct entry *b)
{
	return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

static const struct config_file *file_of(const struct config_build *b, unsigned customer)
{
	return &b->customers[customer].f;
}

// A gateway's address is its identity unless it calls itself otherwise.
static void gateways_check(struct config_build *b, const struct entry *ids, size_t n)
{
	const struct config *c = b->c;
	char text[IP_ADDR_STRLEN];
	for (unsigned i = 0; i < c->n_customers; i++) {
		if (c->customers[i].gateway.family == 0)
			continue;
		ip_addr_str(&c->customers[i].gateway, text);
		const struct entry wanted = {0, text, strlen(text)};
		const struct entry *id = bsearch(&wanted, ids, n, sizeof(*ids), id_cmp);
		if (id != NULL && id->customer != i)
			mistake(file_of(b, id->customer), "ike.remote_id",
				"%s is %s's gateway; expected what the customer's own gateway "
				"calls itself",
				text, SHOW(c->customers[i].name));
	}
}

// Two of one gateway are a mistake of that, and reported there.
static bool gateway_shared(const struct config_customer *x, const struct config_customer *y)
{
	return x->gateway.family != 0 && ip_addr_equal(&x->gateway, &y->gateway);
}

// charon takes who has one customer's key and calls itself like another for the other.
static int ids_check(struct config_build *b, struct entry *list)
{
	const struct config *c = b->c;
	char(*form)[IKE_ID_FORM_LEN] = calloc(c->n_customers + 1, sizeof(*form));
	size_t n = 0;
	if (form == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_customers; i++) {
		const struct config_ike *ike = c->customers[i].ike;
		if (ike == NULL || text_none(ike->remote_id))
			continue;
		ike_id_form(ike->remote_id, form[i]);
		if (form[i][0] != '\0')
			list[n++] = (struct entry){i, form[i], strlen(form[i])};
	}
	qsort(list, n, sizeof(*list), entry_cmp);
	for (size_t i = 1; i < n; i++) {
		const struct config_customer *x = &c->customers[list[i].customer];
		const struct config_customer *y = &c->customers[list[i - 1].customer];
		if (entry_same(&list[i - 1], &list[i]) && !gateway_shared(x, y))
			mistake(file_of(b, list[i].customer), "ike.remote_id",
				"%s is already %s's; each gateway calls itself otherwise",
				SHOW(x->ike->remote_id), SHOW(y->name));
	}
	gateways_check(b, list, n);
	free(form);
	return 0;
}

// Who has another's key could be taken for the other.
static void keys_check(struct config_build *b, struct entry *list)
{
	const struct config *c = b->c;
	size_t n = 0;
	for (unsigned i = 0; i < c->n_customers; i++) {
		const struct config_ike *ike = c->customers[i].ike;
		if (ike != NULL && ike->psk != NULL)
			list[n++] = (struct entry){i, ike->psk, ike->psk_len};
	}
	qsort(list, n, sizeof(*list), entry_cmp);
	for (size_t i = 1; i < n; i++)
		if (entry_same(&list[i - 1], &list[i]))
			mistake(file_of(b, list[i].customer), "ike.psk",
				"%s holds the same key as %s, which is %s's; each customer needs "
				"one of its own",
				SHOW(c->customers[list[i].customer].ike->psk_file),
				SHOW(c->customers[list[i - 1].customer].ike->psk_file),
				SHOW(c->customers[list[i - 1].customer].name));
}

static int numbers_check(struct config_build *b, struct entry *list)
{
	const struct config *c = b->c;
	uint32_t *number = calloc(c->n_customers + 1, sizeof(*number));
	size_t n = 0;
	if (number == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_customers; i++) {
		if (text_none(c->customers[i].name))
			continue;
		number[i] = ike_number(c->customers[i].name);
		list[n++] = (struct entry){i, &number[i], sizeof(number[i])};
	}
	qsort(list, n, sizeof(*list), entry_cmp);
	for (size_t i = 1; i < n; i++) {
		const char *x = c->customers[list[i].customer].name;
		const char *y = c->customers[list[i - 1].customer].name;
		if (entry_same(&list[i - 1], &list[i]) && strcmp(x, y) != 0)
			mistake(file_of(b, list[i].customer), "name",
				"%s and %s have the same number for IKE, 0x%08x, by chance; "
				"choose another name",
				SHOW(x), SHOW(y), number[list[i].customer]);
	}
	free(number);
	return 0;
}

int config_check_ike(struct config_build *b)
{
	if (b->c->ike_feed == NULL)
		return 0;
	struct entry *list = calloc(b->c->n_customers + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	keys_check(b, list);
	int ret = ids_check(b, list);
	if (ret == 0)
		ret = numbers_check(b, list);
	free(list);
	return ret;
}
