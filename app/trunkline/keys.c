// SPDX-License-Identifier: BSD-3-Clause
// Key material comes from a file or from standard input, never from the command line: arguments
// are seen by every user in /proc and ps, and shells keep them in their history.
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 8192

static int text_read(const char *path, char *buf, size_t size, struct err *err)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t have = 0;
	ssize_t n = 0;

	if (fd < 0)
		return err_set(err, -errno, "--key-file %s: %s", path, strerror(errno));
	if (fd != STDIN_FILENO && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		fprintf(stderr,
			"trunkline: warning: %s can be read by others (mode %04o); chmod 600 it\n",
			path, st.st_mode & 07777);
	while (have < size - 1 && (n = read(fd, buf + have, size - 1 - have)) > 0)
		have += (size_t)n;
	int code = errno;
	if (fd != STDIN_FILENO)
		close(fd);
	if (n < 0)
		return err_set(err, -code, "--key-file %s: %s", path, strerror(code));
	if (have == size - 1)
		return err_set(err, -EINVAL, "--key-file %s: too long for a key file", path);
	buf[have] = '\0';
	return 0;
}

static const struct api_arg *key_arg(const struct api_command *cmd, char *name)
{
	for (char *c = name; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	const struct api_arg *arg = api_arg_find(cmd, name);
	return arg != NULL && arg->type == API_KEY ? arg : NULL;
}

static int line_read(const struct api_command *cmd, char *line, json_t *args, struct err *err)
{
	char *hash = strchr(line, '#'), *save;
	if (hash != NULL)
		*hash = '\0';
	char *name = strtok_r(line, " \t\r:=", &save);
	if (name == NULL)
		return 0;
	char *value = strtok_r(NULL, " \t\r=", &save);
	const struct api_arg *arg = key_arg(cmd, name);
	// Neither name nor value are shown: a bare key would be taken for a name.
	if (arg == NULL || value == NULL || strtok_r(NULL, " \t\r", &save) != NULL)
		return err_set(err, -EINVAL,
			       "each line must be \"key-in HEX\" or \"key-out HEX\" (# begins a "
			       "comment)");
	json_t *v = api_arg_parse(arg, value, err);
	if (v == NULL)
		return -EINVAL;
	json_object_set_new(args, arg->name, v);
	return 0;
}

int cli_keys_read(const struct api_command *cmd, const char *path, json_t *args, struct err *err)
{
	char buf[KEY_FILE_MAX];
	int r = text_read(path, buf, sizeof(buf), err), number = 0;

	for (char *rest = buf, *line; r == 0 && (line = strsep(&rest, "\n")) != NULL;) {
		number++;
		r = line_read(cmd, line, args, err);
		if (r < 0)
			err_prefix(err, "--key-file %s:%d", path, number);
	}
	explicit_bzero(buf, sizeof(buf));
	return r;
}
