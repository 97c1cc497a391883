// SPDX-License-Identifier: BSD-3-Clause
#include "api_socket.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define API_BACKLOG 256

static int socket_new(int *fd)
{
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

// Makes room for our socket: takes away what a daemon that ended left behind, and nothing else.
static int stale_remove(const struct sockaddr_un *addr, struct err *err)
{
	const char *path = addr->sun_path;
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(err, -errno, "api socket %s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "api socket %s: there is a file that is no socket",
			       path);
	int r = socket_new(&fd);
	if (r < 0)
		return err_set(err, r, "api socket: %s", strerror(-r));
	r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? -errno : 0;
	close(fd);
	if (r != -ECONNREFUSED && r != -ENOENT)
		return err_set(
			err, -EADDRINUSE,
			"api socket %s: another trunklined answers there; stop it, or choose "
			"another run_dir",
			path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "api socket %s: removing the old one: %s", path,
			       strerror(errno));
	return 0;
}

static int group_set(const char *path, const char *group, struct err *err)
{
	if (group == NULL)
		return 0;
	errno = 0;
	const struct group *g = getgrnam(group);
	if (g == NULL)
		return err_set(err, -ENOENT,
			       "api.group: there is no group %s; groupadd --system %s", group,
			       group);
	if (chown(path, (uid_t)-1, g->gr_gid) < 0)
		return err_set(err, -errno, "api socket %s: giving it to group %s: %s", path, group,
			       strerror(errno));
	return 0;
}

int api_socket_open(const char *path, const char *group, struct err *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return err_set(err, -ENAMETOOLONG, "api socket %s: longer than %zu bytes", path,
			       sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path));
	r = stale_remove(&addr, err);
	if (r < 0)
		return r;
	r = socket_new(&fd);
	if (r < 0)
		return err_set(err, r, "api socket: %s", strerror(-r));
	// Closed to everybody but us until the group is right.
	mode_t old = umask(0177);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(old);
	if (r < 0) {
		close(fd);
		return err_set(err, r, "api socket %s: %s", path, strerror(-r));
	}
	r = group_set(path, group, err);
	if (r < 0)
		goto fail;
	if (chmod(path, 0660) < 0 || listen(fd, API_BACKLOG) < 0) {
		r = err_set(err, -errno, "api socket %s: %s", path, strerror(errno));
		goto fail;
	}
	return fd;
fail:
	unlink(path);
	close(fd);
	return r;
}
