// SPDX-License-Identifier: BSD-3-Clause
// From what libcyaml loaded to the struct config: the checks of meaning. Private to config*.c and
// its tests.
#pragma once

#include "config.h"
#include "config_file.h"

// What a configuration is checked against besides itself.
struct config_machine {
	unsigned cpus; // 0..cpus-1 exist
	bool (*group_exists)(const char *name);
};

struct config_source {
	const char *name; // as it is printed
	const char *data;
	size_t len;
	unsigned mode; // of the file; 0: no file
};

struct customer_file {
	struct config_file f;
	unsigned mode;
	struct raw_customer *raw; // NULL: the form is too wrong
};

struct config_build {
	const struct config_machine *machine;
	struct report report;
	struct config_file main;
	struct raw_main *raw; // NULL: the form is too wrong
	struct customer_file *customers;
	unsigned n_customers, cap_customers;
	bool in_memory;        // files that are named are not read
	bool customers_unread; // one that cannot be read may be the one that is looked for
	struct config *c;
};

// The steps, in this order; each returns 0 or -ENOMEM, and reports mistakes. Text that is taken
// over from the raw structs is theirs no more.
int config_build_pop(struct config_build *b);
int config_build_ports(struct config_build *b);
int config_build_memory(struct config_build *b);
int config_build_media(struct config_build *b);
int config_build_control(struct config_build *b);
int config_build_ike_sockets(struct config_build *b);
int config_build_records(struct config_build *b);
int config_build_customers(struct config_build *b);
int config_build_sas(struct config_build *b, unsigned customer);
int config_build_ike(struct config_build *b, unsigned customer);
int config_build_psk(struct config_build *b, unsigned customer);
int config_build_calls(struct config_build *b);
int config_check_customers(struct config_build *b); // one against another, and against the PoP
int config_check_sas(struct config_build *b);
int config_check_ike(struct config_build *b);

// A whole file. 0, or a negative errno: -EINVAL if it is not a regular one, -EFBIG beyond CONFIG_FILE_MAX.
struct config_text {
	char *data;
	size_t len;
	unsigned mode;
};
int config_text_read(const char *path, struct config_text *t);
void config_text_free(struct config_text *t); // wipes it

void config_ike_free(struct config_ike *ike); // wipes its key

// An identity as charon compares it, so that two are the same if their forms are: an address as
// ip_addr_str() has it, else "fqdn:", "email:" or "keyid:" and the value, in lower case where case
// does not count. "" if it would be nobody's or many's.
#define IKE_ID_MAX 127
#define IKE_ID_FORM_LEN (IKE_ID_MAX + 8)
void ike_id_form(const char *text, char form[static IKE_ID_FORM_LEN]);

// config_load for texts in memory: the main file and, in place of the directory's, customers.
int config_load_sources(const struct config_machine *machine, const struct config_source *main,
			const struct config_source *customers, unsigned n, struct config **out,
			FILE *report);
// config_load for a machine other than this one.
int config_load_for(const struct config_machine *machine, const char *path, struct config **out,
		    FILE *report);

// True for a value that is absent or has been reported already.
static inline bool text_none(const char *text)
{
	return text == NULL || *text == '\0';
}

static inline uint64_t uint_or(const uint64_t *v, uint64_t otherwise)
{
	return v != NULL && *v != BAD_UINT ? *v : otherwise;
}

static inline int enum_or(const int32_t *v, int otherwise)
{
	return v != NULL ? *v : otherwise;
}

static inline bool bool_or(const bool *v, bool otherwise)
{
	return v != NULL ? *v : otherwise;
}

// Takes a text out of a raw struct.
static inline char *text_take(char **raw)
{
	char *text = *raw;
	*raw = NULL;
	return text;
}

// config_text.c: each checks a text that is not text_none(), reports what is wrong with it under
// key, and returns true if *out is set.
bool text_name(const struct config_file *f, const char *key, const char *text, size_t max);
bool text_address(const struct config_file *f, const char *key, const char *text,
		  struct ip_addr *out);
// A host's address with the length of its network.
bool text_interface(const struct config_file *f, const char *key, const char *text,
		    struct ip_prefix *out);
bool text_network(const struct config_file *f, const char *key, const char *text,
		  struct ip_prefix *out);
// "ADDRESS:PORT"; with port_needed false also "ADDRESS", which leaves out->port 0.
bool text_endpoint(const struct config_file *f, const char *key, const char *text, bool port_needed,
		   struct ip_endpoint *out);
// "LO-HI" or one port, 1..65535.
bool text_port_range(const struct config_file *f, const char *key, const char *text, uint16_t *lo,
		     uint16_t *hi);
bool text_proto(const struct config_file *f, const char *key, const char *text, uint8_t *out);
bool proto_has_ports(uint8_t proto);
bool text_allow(const struct config_file *f, const char *key, const char *text,
		struct config_allow *out);
// An identity of IKE's.
bool text_identity(const struct config_file *f, const char *key, const char *text);
// Algorithms of ESP or of IKE.
bool text_proposal(const struct config_file *f, const char *key, const char *text, bool esp);
// The value of a secret key that is len bytes long; what describes them. Not shown in reports.
bool text_key(const struct config_file *f, const char *key, const char *hex, uint8_t *out,
	      size_t len, const char *what);
bool text_device(const struct config_file *f, const char *key, const char *text);

#define IP_STR(a) ip_addr_str(a, (char[IP_ADDR_STRLEN]){0})
#define PREFIX_STR(p) ip_prefix_str(p, (char[IP_PREFIX_STRLEN]){0})
