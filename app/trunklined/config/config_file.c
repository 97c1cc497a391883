// SPDX-License-Identifier: BSD-3-Clause
#include "config_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void mistake_at(const struct config_file *f, int line, const char *key, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report_add(f->report, f->order, f->name, line, key, fmt, ap);
	va_end(ap);
}

void mistake(const struct config_file *f, const char *key, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	report_add(f->report, f->order, f->name, config_file_line(f, key), key, fmt, ap);
	va_end(ap);
}

// --- Secrets are replaced before parsing, because libyaml and libcyaml copy texts and wipe nothing.

#define STAND_IN "secret-"

static const char *const secret_keys[] = {"key_in", "key_out"};

// If a secret key starts at p, its length, else 0.
static size_t secret_key_at(const char *data, const char *p, const char *end)
{
	if (p > data && (isalnum((unsigned char)p[-1]) || p[-1] == '_'))
		return 0;
	for (size_t i = 0; i < CYAML_ARRAY_LEN(secret_keys); i++) {
		size_t len = strlen(secret_keys[i]);
		if ((size_t)(end - p) > len && memcmp(p, secret_keys[i], len) == 0 &&
		    !isalnum((unsigned char)p[len]) && p[len] != '_')
			return len;
	}
	return 0;
}

// Finds the value of the secret key that starts at p: bare or in quotes, on the same line.
static bool secret_span(const char *p, const char *end, size_t key_len, const char **from,
			const char **to)
{
	p += key_len;
	if (p < end && (*p == '"' || *p == '\''))
		p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end || *p != ':')
		return false;
	for (p++; p < end && (*p == ' ' || *p == '\t');)
		p++;
	if (p == end)
		return false;
	char quote = *p == '"' || *p == '\'' ? *p++ : '\0';
	*from = p;
	while (p < end && *p != '\n' && *p != '\r' &&
	       (quote ? *p != quote : strchr(" \t,]}", *p) == NULL))
		p++;
	*to = p;
	return p > *from && (!quote || (p < end && *p == quote));
}

static int secret_keep(struct config_file *f, const char *from, const char *to)
{
	char **list = reallocarray(f->secrets, f->n_secrets + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	f->secrets = list;
	list[f->n_secrets] = strndup(from, (size_t)(to - from));
	if (list[f->n_secrets] == NULL)
		return -ENOMEM;
	f->n_secrets++;
	return 0;
}

// Writes data with stand-ins instead of secrets to out.
static int secrets_take(struct config_file *f, const char *data, size_t len, FILE *out)
{
	const char *end = data + len, *done = data;
	for (const char *p = data; p < end; p++) {
		size_t key_len = *p == 'k' ? secret_key_at(data, p, end) : 0;
		const char *from, *to;
		if (key_len == 0 || !secret_span(p, end, key_len, &from, &to))
			continue;
		(void)fwrite(done, 1, (size_t)(from - done), out);
		fprintf(out, STAND_IN "%u", f->n_secrets);
		if (secret_keep(f, from, to) < 0)
			return -ENOMEM;
		done = to;
		p = to - 1;
	}
	(void)fwrite(done, 1, (size_t)(end - done), out);
	return ferror(out) ? -ENOMEM : 0;
}

const char *config_file_secret(const struct config_file *f, const char *stand_in)
{
	size_t len = strlen(STAND_IN);
	if (strncmp(stand_in, STAND_IN, len) != 0 || !isdigit((unsigned char)stand_in[len]))
		return NULL;
	char *end;
	unsigned long i = strtoul(stand_in + len, &end, 10);
	return *end == '\0' && i < f->n_secrets ? f->secrets[i] : NULL;
}

// --- Parsing

static const char *syntax_hint(const char *problem)
{
	static const struct {
		const char *problem, *hint;
	} hints[] = {
		{"cannot start any token", "indent with blanks, and put values in quotes that "
					   "begin with a character such as @ ` % or a tab"},
		{"mapping values are not allowed", "check the indentation, and put values in "
						   "quotes that hold ': '"},
		{"could not find expected ':'", "write each key as 'key: value'"},
		{"expected ',' or ']'", "a list is [a, b, c]"},
		{"expected ',' or '}'", "a mapping is { key: value, key: value }"},
		{"unexpected end of stream", "close the quotes"},
		{"expected key", "keys of one mapping begin in one column"},
		{"undefined alias", "write the value out"},
		{"undefined tag", "leave the tag out"},
		{"control characters", "remove it"},
		{"UTF-8", "save the file as UTF-8"},
	};
	for (size_t i = 0; i < CYAML_ARRAY_LEN(hints); i++) {
		if (strstr(problem, hints[i].problem) != NULL)
			return hints[i].hint;
	}
	return "check the lines above it as well";
}

static void syntax_mistake(const struct config_file *f, const yaml_parser_t *p, const char *data,
			   size_t len)
{
	const char *problem = p->problem ? p->problem : "cannot be parsed";
	size_t line = p->problem_mark.line;
	if (p->error == YAML_READER_ERROR) {
		line = 0;
		for (size_t i = 0; i < len && i < p->problem_offset; i++)
			line += data[i] == '\n';
	}
	if (p->context != NULL && p->context_mark.line != line)
		mistake_at(f, (int)line + 1, "YAML", "%s %s that starts in line %zu; %s", problem,
			   p->context, p->context_mark.line + 1, syntax_hint(problem));
	else
		mistake_at(f, (int)line + 1, "YAML", "%s%s%s; %s", problem, p->context ? " " : "",
			   p->context ? p->context : "", syntax_hint(problem));
}

// The first document is the one; whatever follows is a mistake.
static int parse_text(struct config_file *f, const char *data, size_t len)
{
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)data, len);
	int ret = -EINVAL;
	yaml_document_t more;
	if (!yaml_parser_load(&parser, &f->doc)) {
		syntax_mistake(f, &parser, data, len);
		goto out;
	}
	f->parsed = true;
	if (yaml_document_get_root_node(&f->doc) == NULL) {
		mistake_at(f, 1, "YAML", "the file is empty; expected 'key: value' lines");
		goto out;
	}
	if (!yaml_parser_load(&parser, &more)) {
		syntax_mistake(f, &parser, data, len);
		goto out;
	}
	ret = 0;
	if (yaml_document_get_root_node(&more) != NULL) {
		mistake_at(f, (int)more.start_mark.line + 1, "YAML",
			   "a second document begins; one file holds one, without '---'");
		ret = -EINVAL;
	}
	yaml_document_delete(&more);
out:
	if (parser.error == YAML_MEMORY_ERROR)
		ret = -ENOMEM;
	yaml_parser_delete(&parser);
	return ret;
}

int config_file_parse(struct config_file *f, const char *data, size_t len)
{
	char *text = NULL;
	size_t text_len = 0;
	FILE *out = open_memstream(&text, &text_len);
	if (out == NULL)
		return -ENOMEM;
	int ret = secrets_take(f, data, len, out);
	if (fclose(out) != 0)
		ret = -ENOMEM;
	if (ret == 0)
		ret = parse_text(f, text, text_len);
	free(text);
	return ret;
}

void config_file_close(struct config_file *f)
{
	for (unsigned i = 0; i < f->n_secrets; i++) {
		explicit_bzero(f->secrets[i], strlen(f->secrets[i]));
		free(f->secrets[i]);
	}
	free(f->secrets);
	f->secrets = NULL;
	f->n_secrets = 0;
	if (f->parsed)
		yaml_document_delete(&f->doc);
	f->parsed = false;
}

// --- Lines

static const yaml_node_t *node_at(const struct config_file *f, int id)
{
	return yaml_document_get_node((yaml_document_t *)&f->doc, id);
}

static bool scalar_is(const yaml_node_t *n, const char *text, size_t len)
{
	return n != NULL && n->type == YAML_SCALAR_NODE && n->data.scalar.length == len &&
	       memcmp(n->data.scalar.value, text, len) == 0;
}

// One step of a path: "key" or "[3]". Moves *key on; the line of what was found goes to *line.
static const yaml_node_t *step(const struct config_file *f, const yaml_node_t *n, const char **key,
			       int *line)
{
	if (n->type == YAML_SEQUENCE_NODE && **key == '[') {
		char *end;
		unsigned long i = strtoul(*key + 1, &end, 10);
		*key = *end == ']' ? end + 1 : end;
		if (i >= (size_t)(n->data.sequence.items.top - n->data.sequence.items.start))
			return NULL;
		n = node_at(f, n->data.sequence.items.start[i]);
		*line = (int)n->start_mark.line + 1;
		return n;
	}
	size_t len = strcspn(*key, ".[");
	if (n->type != YAML_MAPPING_NODE || len == 0)
		return NULL;
	const yaml_node_pair_t *pair = n->data.mapping.pairs.start;
	for (; pair < n->data.mapping.pairs.top; pair++) {
		const yaml_node_t *k = node_at(f, pair->key);
		if (scalar_is(k, *key, len)) {
			*key += len;
			*line = (int)k->start_mark.line + 1;
			return node_at(f, pair->value);
		}
	}
	return NULL;
}

int config_file_line(const struct config_file *f, const char *key)
{
	int line = 1;
	if (!f->parsed)
		return line;
	const yaml_node_t *n = yaml_document_get_root_node((yaml_document_t *)&f->doc);
	while (n != NULL && *key != '\0') {
		n = step(f, n, &key, &line);
		if (*key == '.')
			key++;
	}
	return line;
}
