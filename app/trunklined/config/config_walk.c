// SPDX-License-Identifier: BSD-3-Clause
// The check of a YAML tree against a cyaml schema. Beside it grows a second tree that holds only what
// is right, which libcyaml then loads.
#include "config_file.h"
#include "config_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct walk {
	struct config_file *f;
	yaml_document_t out;
	uint8_t *seen;      // by node: met before, so this time it is an alias
	char path[KEY_LEN]; // of the value at hand
	bool oom;
};

static const cyaml_config_t cyaml = {
	.mem_fn = cyaml_mem, .log_level = CYAML_LOG_ERROR, .flags = CYAML_CFG_NO_ALIAS};

static int value(struct walk *w, int id, int line, const cyaml_schema_value_t *v,
		 const struct key_info *k);

static size_t path_push(struct walk *w, const char *key)
{
	size_t len = strlen(w->path);
	snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "." : "", key);
	return len;
}

static size_t path_push_index(struct walk *w, size_t i)
{
	size_t len = strlen(w->path);
	snprintf(w->path + len, sizeof(w->path) - len, "[%zu]", i);
	return len;
}

static void path_pop(struct walk *w, size_t len)
{
	w->path[len] = '\0';
}

static const char *path(const struct walk *w)
{
	return w->path[0] ? w->path : "YAML";
}

static int add(struct walk *w, int id)
{
	w->oom |= id == 0;
	return id;
}

static int add_text(struct walk *w, const char *text)
{
	return add(w, yaml_document_add_scalar(&w->out, NULL, (const yaml_char_t *)text, -1,
					       YAML_DOUBLE_QUOTED_SCALAR_STYLE));
}

static void add_pair(struct walk *w, int map, const char *key, int id)
{
	int k = add_text(w, key);
	if (k == 0 || id == 0 || !yaml_document_append_mapping_pair(&w->out, map, k, id))
		w->oom = true;
}

// What stands for a value that has to be there but is not right, and was reported.
static int placeholder(struct walk *w, const cyaml_schema_value_t *v)
{
	int id;
	switch (v->type) {
	case CYAML_UINT:
		return add_text(w, "18446744073709551615"); // BAD_UINT
	case CYAML_BOOL:
		return add_text(w, "false");
	case CYAML_ENUM:
		return add_text(w, v->enumeration.strings[0].str);
	case CYAML_SEQUENCE:
		return add(w, yaml_document_add_sequence(&w->out, NULL, YAML_ANY_SEQUENCE_STYLE));
	case CYAML_MAPPING:
		id = add(w, yaml_document_add_mapping(&w->out, NULL, YAML_ANY_MAPPING_STYLE));
		for (const cyaml_schema_field_t *s = v->mapping.fields; s->key != NULL; s++) {
			if (!(s->value.flags & CYAML_FLAG_OPTIONAL))
				add_pair(w, id, s->key, placeholder(w, &s->value));
		}
		return id;
	default:
		return add_text(w, "");
	}
}

static bool is_null(const yaml_node_t *n)
{
	const char *s = (const char *)n->data.scalar.value;
	return n->type == YAML_SCALAR_NODE && n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (*s == '\0' || strcmp(s, "~") == 0 || strcasecmp(s, "null") == 0);
}

// Reports a key that is not in the schema. Returns the field that may be meant, or NULL.
static const cyaml_schema_field_t *unknown_key(struct walk *w, const yaml_node_t *key,
					       const cyaml_schema_field_t *fields)
{
	const char *text = (const char *)key->data.scalar.value;
	const cyaml_schema_field_t *guess = NULL;
	unsigned best = strlen(text) > 3 ? 3 : 2; // fewer changes than this
	char list[256] = "";
	size_t n = 0;
	for (const cyaml_schema_field_t *s = fields; s->key != NULL; s++) {
		unsigned d = word_distance(text, s->key);
		if (d < best) {
			best = d;
			guess = s;
		}
		if (n < sizeof(list))
			n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "",
					      s->key);
	}
	size_t len = path_push(w, SHOW(text));
	if (guess != NULL)
		mistake_at(w->f, (int)key->start_mark.line + 1, path(w),
			   "is not a known key; did you mean %s?", guess->key);
	else
		mistake_at(w->f, (int)key->start_mark.line + 1, path(w),
			   "is not a known key here; expected one of %s", list);
	path_pop(w, len);
	return guess;
}

// A scalar's text if it is one value that can be used: not empty, no control characters.
static const char *scalar_text(struct walk *w, const yaml_node_t *n, int line,
			       const cyaml_schema_value_t *v, const struct key_info *k)
{
	if (n->type != YAML_SCALAR_NODE) {
		mistake_at(w->f, line, path(w), "is %s; expected %s", node_kind(n), EXPECTED(v, k));
		return NULL;
	}
	const char *text = (const char *)n->data.scalar.value;
	if (is_null(n) || *text == '\0') {
		mistake_at(w->f, line, path(w), "has no value; expected %s", EXPECTED(v, k));
		return NULL;
	}
	for (size_t i = 0; i < n->data.scalar.length; i++) {
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			mistake_at(w->f, line, path(w),
				   "holds a line break or control character; expected %s",
				   EXPECTED(v, k));
			return NULL;
		}
	}
	return text;
}

static int value_uint(struct walk *w, int line, const char *text, const cyaml_schema_value_t *v,
		      const struct key_info *k)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	size_t n = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
	if (n == 0 || digits[n] != '\0') {
		bool lost_0x = text[strspn(text, "0123456789abcdefABCDEF")] == '\0';
		mistake_at(w->f, line, path(w), "%s is not a whole number; expected %s%s",
			   SHOW(text), EXPECTED(v, k),
			   lost_0x ? ", with 0x in front if it is hexadecimal" : "");
		return 0;
	}
	if (!hex && n > 1 && digits[0] == '0') {
		mistake_at(
			w->f, line, path(w),
			"%s has a leading zero, which means octal to some; write %s", SHOW(text),
			SHOW(digits + strspn(digits, "0") - (digits[strspn(digits, "0")] == '\0')));
		return 0;
	}
	errno = 0;
	unsigned long long u = strtoull(digits, NULL, hex ? 16 : 10);
	if (errno != 0 || u < k->min || u > k->max) {
		mistake_at(w->f, line, path(w), "%s is out of range; expected %s", SHOW(text),
			   EXPECTED(v, k));
		return 0;
	}
	return add_text(w, text);
}

static int value_bool(struct walk *w, int line, const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0)
		return add_text(w, "true");
	if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0)
		return add_text(w, "false");
	mistake_at(w->f, line, path(w), "%s is neither true nor false; write one of them",
		   SHOW(text));
	return 0;
}

static int value_enum(struct walk *w, int line, const char *text, const cyaml_schema_value_t *v,
		      const struct key_info *k)
{
	for (uint32_t i = 0; i < v->enumeration.count; i++) {
		if (strcmp(text, v->enumeration.strings[i].str) == 0)
			return add_text(w, text);
	}
	mistake_at(w->f, line, path(w), "%s is not known; expected %s", SHOW(text), EXPECTED(v, k));
	return 0;
}

static int value_string(struct walk *w, int line, const char *text, const cyaml_schema_value_t *v,
			const struct key_info *k)
{
	if (k->secret && config_file_secret(w->f, text) == NULL) {
		mistake_at(w->f, line, path(w), "cannot be read as a key; expected %s", k->form);
		return 0;
	}
	if (strlen(text) > v->string.max) {
		mistake_at(w->f, line, path(w), "is longer than %u characters; expected %s",
			   v->string.max, k->form);
		return 0;
	}
	return add_text(w, text);
}

static int value_list(struct walk *w, const yaml_node_t *n, int line, const cyaml_schema_value_t *v,
		      const struct key_info *k)
{
	const yaml_node_item_t *items = n->data.sequence.items.start;
	size_t count = (size_t)(n->data.sequence.items.top - items);
	if (count > v->sequence.max) {
		mistake_at(w->f, line, path(w), "has %zu entries; there can be %u", count,
			   v->sequence.max);
		count = v->sequence.max;
	}
	int out = add(w, yaml_document_add_sequence(&w->out, NULL, YAML_ANY_SEQUENCE_STYLE));
	for (size_t i = 0; i < count && !w->oom; i++) {
		size_t len = path_push_index(w, i);
		const yaml_node_t *item = yaml_document_get_node(&w->f->doc, items[i]);
		// An alias has its anchor's line, which is above.
		int at = w->seen[items[i]] ? line : (int)item->start_mark.line + 1;
		int id = value(w, items[i], at, v->sequence.entry, k);
		// Nothing is left out of a list, so that indexes stay those of the file.
		if (id == 0)
			id = placeholder(w, v->sequence.entry);
		if (id == 0 || !yaml_document_append_sequence_item(&w->out, out, id))
			w->oom = true;
		path_pop(w, len);
	}
	return out;
}

// A key's value, checked; what stands for it if it is wrong.
static void field(struct walk *w, int id, int line, const cyaml_schema_field_t *s,
		  const struct key_info *info, int out)
{
	bool list = s->value.type == CYAML_SEQUENCE, map = s->value.type == CYAML_MAPPING;
	bool optional = s->value.flags & CYAML_FLAG_OPTIONAL;
	int copy = value(w, id, line, &s->value, (list || map) && info->sub ? info->sub : info);
	const yaml_node_t *n = yaml_document_get_node(&w->out, copy);
	if (list && !optional && n != NULL &&
	    n->data.sequence.items.top == n->data.sequence.items.start)
		mistake_at(w->f, line, path(w), "is empty; at least one entry is needed");
	// A text that is wrong is not one that is absent, which might be a mistake of its own.
	if (copy == 0 && (!optional || s->value.type == CYAML_STRING))
		copy = placeholder(w, &s->value);
	if (copy != 0)
		add_pair(w, out, s->key, copy);
}

// One pair of a mapping. given[] holds the line of each key that was met, guessed[] that of a key
// that is taken for it.
static void pair(struct walk *w, const yaml_node_pair_t *p, const cyaml_schema_value_t *v,
		 const struct key_info *info, int *given, int *guessed, int out)
{
	const yaml_node_t *key = yaml_document_get_node(&w->f->doc, p->key);
	const cyaml_schema_field_t *fields = v->mapping.fields, *s = fields;
	int line = (int)key->start_mark.line + 1;
	if (key->type != YAML_SCALAR_NODE || w->seen[p->key]) {
		mistake_at(w->f, line, path(w),
			   "has a key that is not a plain word; write 'key: value'");
		return;
	}
	w->seen[p->key] = 1;
	while (s->key != NULL && (strlen(s->key) != key->data.scalar.length ||
				  strcmp(s->key, (const char *)key->data.scalar.value) != 0))
		s++;
	if (s->key == NULL) {
		s = unknown_key(w, key, fields);
		if (s != NULL)
			guessed[s - fields] = line;
		return;
	}
	size_t len = path_push(w, s->key), i = (size_t)(s - fields);
	if (given[i] != 0)
		mistake_at(w->f, line, path(w), "is given twice, first in line %d; keep one",
			   given[i]);
	else
		field(w, p->value, line, s, &info[i], out);
	given[i] = given[i] != 0 ? given[i] : line;
	path_pop(w, len);
}

static int value_mapping(struct walk *w, const yaml_node_t *n, int line,
			 const cyaml_schema_value_t *v, const struct key_info *info)
{
	enum { FIELDS_MAX = 40 };
	int given[FIELDS_MAX] = {0}, guessed[FIELDS_MAX] = {0};
	int out = add(w, yaml_document_add_mapping(&w->out, NULL, YAML_ANY_MAPPING_STYLE));
	const yaml_node_pair_t *p = n->data.mapping.pairs.start;
	for (; p < n->data.mapping.pairs.top && !w->oom; p++)
		pair(w, p, v, info, given, guessed, out);
	for (size_t i = 0; v->mapping.fields[i].key != NULL; i++) {
		const cyaml_schema_field_t *s = &v->mapping.fields[i];
		bool optional = s->value.flags & CYAML_FLAG_OPTIONAL;
		if (given[i] != 0)
			continue;
		size_t len = path_push(w, s->key);
		if (!optional && guessed[i] == 0)
			mistake_at(w->f, line, path(w), "is missing; expected %s",
				   EXPECTED(&s->value, &info[i]));
		if (!optional || (guessed[i] != 0 && s->value.type == CYAML_STRING))
			add_pair(w, out, s->key, placeholder(w, &s->value));
		path_pop(w, len);
	}
	return out;
}

// Checks one node. Returns its copy in the tree of what is right, or 0 if there is none. info
// is that of the value, or of the fields of a mapping or of a list's mappings.
static int value(struct walk *w, int id, int line, const cyaml_schema_value_t *v,
		 const struct key_info *k)
{
	const yaml_node_t *n = yaml_document_get_node(&w->f->doc, id);
	if (w->seen[id]) {
		mistake_at(w->f, line, path(w), "is an alias; write the value out");
		return 0;
	}
	w->seen[id] = 1;
	const char *tag = (const char *)n->tag;
	if (strcmp(tag, YAML_DEFAULT_SCALAR_TAG) != 0 &&
	    strcmp(tag, YAML_DEFAULT_SEQUENCE_TAG) != 0 &&
	    strcmp(tag, YAML_DEFAULT_MAPPING_TAG) != 0) {
		mistake_at(w->f, line, path(w), "has the tag %s; leave the tag out", SHOW(tag));
		return 0;
	}
	if (v->type == CYAML_MAPPING || v->type == CYAML_SEQUENCE) {
		bool list = v->type == CYAML_SEQUENCE;
		if (is_null(n)) {
			mistake_at(w->f, line, path(w), "has no value; expected %s",
				   EXPECTED(v, k));
			return 0;
		}
		if (n->type != (list ? YAML_SEQUENCE_NODE : YAML_MAPPING_NODE)) {
			mistake_at(w->f, line, path(w), "is %s; expected %s", node_kind(n),
				   EXPECTED(v, k));
			return 0;
		}
		return list ? value_list(w, n, line, v, k) : value_mapping(w, n, line, v, k);
	}
	const char *text = scalar_text(w, n, line, v, k);
	if (text == NULL)
		return 0;
	switch (v->type) {
	case CYAML_UINT:
		return value_uint(w, line, text, v, k);
	case CYAML_BOOL:
		return value_bool(w, line, text);
	case CYAML_ENUM:
		return value_enum(w, line, text, v, k);
	default:
		return value_string(w, line, text, v, k);
	}
}

// Writes the tree of what is right and has libcyaml load it.
static int load(struct walk *w, const cyaml_schema_value_t *schema, void **raw)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	yaml_emitter_t emitter;
	if (out == NULL || !yaml_emitter_initialize(&emitter)) {
		if (out != NULL)
			fclose(out);
		free(text);
		return -ENOMEM;
	}
	yaml_emitter_set_output_file(&emitter, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	bool ok = yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, &w->out) &&
		  yaml_emitter_close(&emitter);
	yaml_emitter_delete(&emitter);
	ok &= fclose(out) == 0;
	int ret = ok ? 0 : -ENOMEM;
	if (ok) {
		cyaml_err_t e =
			cyaml_load_data((const uint8_t *)text, len, &cyaml, schema, raw, NULL);
		if (e == CYAML_ERR_OOM)
			ret = -ENOMEM;
		if (e != CYAML_OK && e != CYAML_ERR_OOM) {
			mistake_at(w->f, 1, "YAML",
				   "libcyaml refuses the file: %s; please report it",
				   cyaml_strerror(e));
			ret = -EINVAL;
		}
	}
	free(text);
	return ret;
}

int config_file_load(struct config_file *f, const cyaml_schema_value_t *schema,
		     const struct key_info *info, void **raw)
{
	struct walk w = {.f = f};
	size_t nodes = (size_t)(f->doc.nodes.top - f->doc.nodes.start);
	w.seen = calloc(nodes + 1, 1);
	if (w.seen == NULL || !yaml_document_initialize(&w.out, NULL, NULL, NULL, 1, 1)) {
		free(w.seen);
		return -ENOMEM;
	}
	*raw = NULL;
	int root = value(&w, 1, 1, schema, info);
	int ret = w.oom ? -ENOMEM : root == 0 ? -EINVAL : load(&w, schema, raw);
	// A tree that was written is gone already, and deleting it again is harmless.
	yaml_document_delete(&w.out);
	free(w.seen);
	return ret;
}

void config_raw_free(const cyaml_schema_value_t *schema, void *raw)
{
	cyaml_free(&cyaml, schema, raw, 0);
}
