// SPDX-License-Identifier: BSD-3-Clause
// Every mistake gets its line: runs the table tests/check/mistakes.txt, whose head says how to read
// it. Also: keys are never shown, and are gone from memory after use.
#include "config_lab.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(config_mistakes, .init = config_lab_open, .fini = config_lab_close, .timeout = 120);

#define TEXT_MAX 8192

struct mistake_case {
	char name[256];
	char file[256]; // that edits are for
	char from[TEXT_MAX], to[TEXT_MAX], want[TEXT_MAX];
	unsigned mode; // of the file, 0: 0600
	bool editing, replacing;
	unsigned n_want;
};

static void text_add(char text[static TEXT_MAX], const char *line)
{
	size_t n = strlen(text);
	cr_assert_lt(n + strlen(line) + 2, TEXT_MAX);
	snprintf(text + n, TEXT_MAX - n, "%s%s", n ? "\n" : "", line);
}

// Carries out what has been collected: an edit, or a file written anew.
static void apply(struct mistake_case *c)
{
	if (c->editing)
		cr_assert(config_lab_edit(c->file, c->from, c->to), "%s: %s is not once in %s",
			  c->name, c->from, c->file);
	if (c->replacing)
		config_lab_write(c->file, 0600, c->to);
	if (c->mode != 0)
		cr_assert_eq(chmod(c->file, c->mode), 0);
	c->from[0] = c->to[0] = '\0';
	c->editing = c->replacing = false;
	c->mode = 0;
}

// "\t" and "\xHH" in the table.
static void unescape(char *s)
{
	char *out = s;
	for (; *s != '\0'; s++) {
		unsigned byte;
		if (s[0] == '\\' && s[1] == 't') {
			*out++ = '\t';
			s++;
		} else if (s[0] == '\\' && s[1] == 'x' && sscanf(s + 2, "%2x", &byte) == 1) {
			*out++ = (char)byte;
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

static void line_read(struct mistake_case *c, char *line)
{
	char *rest = line + 2;
	unescape(line);
	if (strncmp(line, "edit ", 5) == 0 || strncmp(line, "file ", 5) == 0) {
		apply(c);
		snprintf(c->file, sizeof(c->file), "%s", line + 5);
		c->replacing = line[0] == 'f';
	} else if (strncmp(line, "mode ", 5) == 0) {
		apply(c);
		c->mode = (unsigned)strtoul(line + 5, NULL, 8);
	} else if (strncmp(line, "remove ", 7) == 0) {
		apply(c);
		config_lab_remove(line + 7);
	} else if (strncmp(line, "< ", 2) == 0) {
		if (c->to[0] != '\0')
			apply(c);
		c->editing = true;
		text_add(c->from, rest);
	} else if (line[0] == '>') {
		text_add(c->to, line[1] == '\0' ? "" : rest);
	} else if (strncmp(line, "= ", 2) == 0) {
		text_add(c->want, rest);
		c->n_want++;
	} else {
		cr_assert_fail("cannot read the table's line: %s", line);
	}
}

static void case_check(struct mistake_case *c)
{
	struct config *config = NULL;
	char *report;
	apply(c);
	int ret = config_lab_load_ret(&config, &report);
	char *summary = strrchr(report, '\n'); // the end; the last line begins after the one before
	if (summary != NULL) {
		*summary = '\0';
		summary = strrchr(report, '\n');
	}
	if (summary != NULL)
		*summary++ = '\0';
	cr_expect_str_eq(report, c->want, "%s:\n got: %s\nwant: %s", c->name, report, c->want);
	cr_expect_eq(ret, (int)c->n_want, "%s: %d mistakes", c->name, ret);
	cr_expect_null(config);
	// The closing line counts what is above it.
	unsigned n = 0, m = 0;
	cr_expect(summary != NULL && sscanf(summary, "%u mistake%*[s ]in %u file", &n, &m) == 2 &&
			  n == c->n_want && strstr(summary, "; nothing was applied") != NULL,
		  "%s: closing line is: %s", c->name, summary ? summary : "missing");
	free(report);
}

Test(config_mistakes, table)
{
	static struct mistake_case c;
	unsigned n = 0;
	char *table = config_lab_read(CONFIG_MISTAKES), *save = NULL;
	for (char *l = strtok_r(table, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save)) {
		if (l[0] == '#')
			continue;
		if (strncmp(l, "case ", 5) != 0) {
			line_read(&c, l);
			continue;
		}
		if (n++ > 0)
			case_check(&c);
		config_lab_reset();
		memset(&c, 0, sizeof(c));
		snprintf(c.name, sizeof(c.name), "%s", l + 5);
	}
	case_check(&c);
	free(table);
	cr_assert_geq(n, 60, "the table has only %u cases", n);
}

// How many buffers are enough, to the last one: what devices hold depends on their drivers.
Test(config_mistakes, least_buffers)
{
	static const struct {
		const char *workers, *first, *second; // first, second: of a device
		unsigned least;
	} cases[] = {
		{"[1]", "device: '0000:3b:00.0'", "device: '0000:3b:00.1'", 7021},
		{"[1]", "device: 'vdev:net_null0'", "device: '0000:3b:00.1'", 7021},
		{"[0, 1, 2, 3]", "device: '0000:3b:00.0'", "device: '0000:3b:00.1'", 25452},
		{"[0, 1, 2, 3]", "device: '0000:3b:00.0', queues: 2", "device: '0000:3b:00.1'",
		 20772},
		{"[1]", "device: '0000:3b:00.0'", "device: '0000:3b:00.0', vlan: 5", 4681},
		{"[0, 1]", "device: 'af_xdp:a'", "device: 'af_xdp:b'", 13164},
		{"[0, 1]", "device: 'af_xdp:a', queues: 9", "device: 'tap:b'", 15506},
		{"[0, 1]", "device: 'af_packet:a'", "device: 'ring:b'", 6142},
		{"[0, 1]", "device: 'af_packet:a'", "device: 'pcap:b'", 4096},
	};
	const struct config_machine machine = {8, NULL};
	FILE *sink = fopen("/dev/null", "we");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (unsigned less = 0; less < 2; less++) {
			char text[512];
			snprintf(text, sizeof(text),
				 "pop: p\nworkers: %s\nmemory: { mbufs: %u }\nports:\n"
				 "- {name: in0, %s, addresses: [198.18.0.1/24]}\n"
				 "- {name: out0, %s, addresses: [198.18.1.1/24]}\n",
				 cases[i].workers, cases[i].least - less, cases[i].first,
				 cases[i].second);
			const struct config_source m = {"main", text, strlen(text), 0};
			struct config *c = NULL;
			int ret = config_load_sources(&machine, &m, NULL, 0, &c, sink);
			cr_expect_eq(ret, (int)less, "case %zu, %u less: %d mistakes", i, less,
				     ret);
			config_free(c);
		}
	}
	fclose(sink);
}

// Who has not said how many has as many as are needed.
Test(config_mistakes, default_buffers)
{
	static const char text[] =
		"pop: p\nworkers: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\nports:\n"
		"- {name: in0, device: '0000:3b:00.0', addresses: [198.18.0.1/24]}\n"
		"- {name: out0, device: '0000:3b:00.1', addresses: [198.18.1.1/24]}\n";
	const struct config_source m = {"main", text, strlen(text), 0};
	const struct config_machine machine = {12, NULL};
	struct config *c = NULL;

	cr_assert_eq(config_load_sources(&machine, &m, NULL, 0, &c, stderr), 0);
	cr_expect_gt(c->mbufs, 65536);
	config_free(c);
}

// A file cut off at any byte is never taken for a whole one silently, and nothing breaks.
Test(config_mistakes, truncated_at_every_length)
{
	const struct config_machine machine = {8, NULL};
	char *main = strdup("pop: p\nworkers: [1]\nports:\n- {name: in0, device: 'tap:t0', "
			    "addresses: [198.18.0.1/24]}\n");
	char *customer = config_lab_read("customers.d/acme.yaml");
	FILE *sink = fopen("/dev/null", "we");
	const struct config_source m = {"main", main, strlen(main), 0};
	for (size_t len = 0; len < strlen(customer); len++) {
		// An exact copy, so that a sanitizer sees a read beyond the end.
		char *cut = malloc(len + 1);
		memcpy(cut, customer, len);
		const struct config_source s = {"customer", cut, len, 0};
		struct config *c = NULL;
		int ret = config_load_sources(&machine, &m, &s, 1, &c, sink);
		cr_expect((ret == 0) == (c != NULL));
		config_free(c);
		free(cut);
	}
	fclose(sink);
	free(customer);
	free(main);
}

// --- Keys

// The key in the lab's acme.yaml that these tests look for. Only ever whole in the file.
#define MASK 0x5a
static void secret_text(char out[static 40])
{
	static const char masked[] =
		"\x6a\x6a\x6b\x6b\x68\x68\x69\x69\x6e\x6e\x6f\x6f\x6c\x6c\x6d\x6d";
	static const char digits[] = "9f3c7be1d20846a5c9e0b7f1";
	// 0011223344556677 would be found by accident: the rest is not regular.
	for (int i = 0; i < 16; i++)
		out[i] = (char)(masked[i] ^ MASK);
	for (int i = 0; i < 24; i++)
		out[16 + i] = digits[i];
}

// How often needle is in this process's writable memory, besides at its own place.
static unsigned memory_count(const char *needle, size_t len)
{
	unsigned found = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	cr_assert(maps != NULL && mem >= 0);
	char line[512];
	static char window[1 << 20];
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;
		char perms[5];
		if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) != 3 || perms[1] != 'w')
			continue;
		// A sanitizer's shadow is terabytes of nothing.
		if (to - from > (1ul << 31))
			continue;
		for (unsigned long at = from; at < to;) {
			size_t left = to - at;
			ssize_t n = pread(mem, window,
					  left < sizeof(window) ? left : sizeof(window), (off_t)at);
			if (n <= (ssize_t)len)
				break;
			for (ssize_t i = 0; i + (ssize_t)len <= n; i++) {
				const char *p = window + i;
				p = memchr(p, needle[0], (size_t)(n - i));
				if (p == NULL || p + len > window + n)
					break;
				i = p - window;
				unsigned long addr = at + (unsigned long)i;
				bool own = addr == (unsigned long)needle ||
					   (addr >= (unsigned long)window &&
					    addr < (unsigned long)window + sizeof(window));
				if (!own && memcmp(p, needle, len) == 0)
					found++;
			}
			at += n == (ssize_t)sizeof(window) ? (unsigned long)n - len
							   : (unsigned long)n;
		}
	}
	close(mem);
	fclose(maps);
	return found;
}

// Makes acme.yaml so long that what is freed of it is not all written over by chance.
static void file_lengthen(void)
{
	char *text = config_lab_read("customers.d/acme.yaml");
	FILE *f = fopen("customers.d/acme.yaml", "we");
	for (int i = 0; i < 1000; i++)
		fprintf(f, "# A comment of no meaning but its length, line %d.\n", i);
	fputs(text, f);
	fclose(f);
	free(text);
}

// Puts the key into a file in place of another, without leaving it in a buffer.
static void secret_plant(const char *file, const char *placeholder, const char key[static 40])
{
	char *text = config_lab_read(file), *at = strstr(text, placeholder);
	cr_assert_not_null(at);
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(pwrite(fd, key, 40, at - text), 40);
	close(fd);
	free(text);
}

static unsigned secrets_left(const char key[static 40])
{
	char raw[20], half[20];
	for (int i = 0; i < 20; i++) {
		unsigned byte;
		char two[3] = {key[2 * i], key[2 * i + 1], '\0'};
		cr_assert_eq(sscanf(two, "%2x", &byte), 1);
		raw[i] = (char)byte;
	}
	// Allocators write over the first 16 bytes of what is freed: look for the later half.
	memcpy(half, key + 20, 20);
	unsigned found = memory_count(half, 20) - 1; // key itself holds its half
	found += memory_count(raw + 10, 10);
	explicit_bzero(raw, sizeof(raw));
	explicit_bzero(half, sizeof(half));
	return found;
}

Test(config_mistakes, keys_are_wiped)
{
	char key[40];
	struct config *c = NULL;
	secret_text(key);
	file_lengthen();
	secret_plant("customers.d/acme.yaml", "10112233445566778899aabbccddeeff01020304", key);
	unsigned before = secrets_left(key);
	free(config_lab_load(&c));
	cr_assert_not_null(c);
	cr_expect_gt(secrets_left(key), before, "the search would find a key that is there");
	config_free(c);
	cr_expect_eq(secrets_left(key), before);
}

// The same when the files have mistakes, of form and of meaning, in keys and elsewhere.
Test(config_mistakes, keys_are_wiped_and_not_shown_with_mistakes)
{
	static const char *const edits[][2] = {
		{"suite: aes128gcm16", "suite: aes256gcm16"},
		{"suite: aes128gcm16", "suite: unheard-of"},
		{"    key_out", "    key_in"},
		{"    esn: true", "    esn: [true"},
		{"tier: 100M", "tier: 5M"},
		{"local: 198.18.10.1\n    encap", "local: 198.18.10.9\n    encap"},
	};
	char key[40], half[21];
	secret_text(key);
	unsigned before = secrets_left(key);
	for (size_t i = 0; i < sizeof(edits) / sizeof(*edits); i++) {
		struct config *c = NULL;
		config_lab_reset();
		cr_assert(config_lab_edit("customers.d/acme.yaml", edits[i][0], edits[i][1]), "%zu",
			  i);
		secret_plant("customers.d/acme.yaml", "10112233445566778899aabbccddeeff01020304",
			     key);
		char *report = config_lab_load(&c);
		snprintf(half, sizeof(half), "%.20s", key + 20);
		cr_expect_null(c);
		cr_expect_null(strstr(report, half), "%s", report);
		explicit_bzero(half, sizeof(half));
		free(report);
		cr_expect_eq(secrets_left(key), before, "case %zu", i);
	}
}

// --- The reference

// Its generated part must be what the schema says now.
Test(config_mistakes, reference_is_current)
{
	char *docs = config_lab_read(CONFIG_DOCS), *reference = NULL;
	static const char begin[] = "<!-- reference: begin -->\n",
			  end[] = "<!-- reference: end -->";
	size_t size;
	FILE *f = open_memstream(&reference, &size);
	config_reference(f);
	fclose(f);
	char *from = strstr(docs, begin), *to = strstr(docs, end);
	cr_assert(from != NULL && to != NULL);
	*to = '\0';
	cr_expect_str_eq(
		from + strlen(begin), reference,
		"docs/configuration.md is not current: `trunklined --config-reference` prints it");
	free(reference);
	free(docs);
}
