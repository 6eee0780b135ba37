/* place.c - names, sockets and locks of running engines. A lock belongs to a process and ends with it,
 * however it ends, so a socket left behind by a killed engine is recognised and replaced. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "engine/place.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool place_name_ok(const char *name)
{
	size_t n = strlen(name);
	if (n == 0 || n > PLACE_NAME || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '-' || c == '_'))
			return false;
	}
	return true;
}

static bool dir_private(const char *path, Err *e)
{
	struct stat st;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_errno(e, "mkdir", path);
	if (lstat(path, &st) != 0)
		return err_errno(e, "open", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return err_set(e, E_4001,
			"%s: must be a folder of this user with mode 0700; remove it or set XDG_RUNTIME_DIR",
			path);
	return true;
}

bool place_dir(char out[PLACE_PATH], Err *e)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	int n;
	if (run && run[0] == '/')
		n = snprintf(out, PLACE_PATH, "%s/lathe", run);
	else
		n = snprintf(out, PLACE_PATH, "/tmp/lathe-%lu", (unsigned long)geteuid());
	if (n < 0 || n >= PLACE_PATH)
		return err_set(e, E_4001, "XDG_RUNTIME_DIR: too long for a socket's path; set a shorter one");
	return dir_private(out, e);
}

bool place_find(const char *name, Place *p, Err *e)
{
	char dir[PLACE_PATH];
	int n;
	*p = (Place){ .lock = -1 };
	if (strchr(name, '/')) {
		n = snprintf(p->socket, sizeof p->socket, "%s", name);
	} else {
		if (!place_name_ok(name))
			return err_set(e, E_2003, "engine name \"%s\": 1 to %d letters, digits, '-' or '_'",
				name, PLACE_NAME);
		snprintf(p->name, sizeof p->name, "%s", name);
		if (!place_dir(dir, e))
			return false;
		n = snprintf(p->socket, sizeof p->socket, "%s/%s.sock", dir, name);
	}
	if (n < 0 || n >= PLACE_PATH)
		return err_set(e, E_2003, "socket %s: its path is longer than %d bytes; choose a shorter one",
			name, PLACE_PATH - 1);
	return true;
}

static void lock_path(const char *socket_path, char out[PLACE_PATH + 8])
{
	snprintf(out, PLACE_PATH + 8, "%s.lock", socket_path);
}

static bool lock_take(Place *p, Err *e)
{
	char path[PLACE_PATH + 8];
	lock_path(p->socket, path);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno(e, "create", path);
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fcntl(fd, F_SETLK, &l) == 0) {
		p->lock = fd;
		return true;
	}
	bool busy = errno == EACCES || errno == EAGAIN;
	if (!busy)
		err_errno(e, "lock", path);
	close(fd);
	if (busy)
		err_set(e, E_9001,
			"%s: an engine with this name runs already (process %ld); use `lathe attach` or "
			"another --name",
			p->name[0] ? p->name : p->socket, (long)place_holder(p->socket));
	return false;
}

bool place_take(const char *name, Place *p, Err *e)
{
	if (name)
		return place_find(name, p, e) && lock_take(p, e);
	for (int i = 1; i < 100; i++) {
		char auto_name[PLACE_NAME + 1];
		Err tried = { 0 };
		if (i == 1)
			snprintf(auto_name, sizeof auto_name, "main");
		else
			snprintf(auto_name, sizeof auto_name, "main-%d", i);
		if (!place_find(auto_name, p, e))
			return false;
		if (lock_take(p, &tried))
			return true;
		if (tried.code != E_9001)
			return err_set(e, tried.code, "%s", tried.text);
	}
	return err_set(e, E_9001, "99 engines run already; end one, or give a --name");
}

int place_listen(const Place *p, Err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	snprintf(at.sun_path, sizeof at.sun_path, "%s", p->socket);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		err_errno(e, "socket", NULL);
		return -1;
	}
	/* The lock is ours, so a socket that lies here is one that a dead engine left; anything else is not
	 * removed. */
	struct stat st;
	if (lstat(p->socket, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == geteuid())
		unlink(p->socket);
	mode_t old = umask(0177);
	int bound = bind(fd, (const struct sockaddr *)&at, sizeof at);
	umask(old);
	if (bound != 0 || listen(fd, 8) != 0) {
		err_errno(e, bound != 0 ? "create" : "listen", p->socket);
		close(fd);
		return -1;
	}
	return fd;
}

void place_release(Place *p)
{
	if (p->lock < 0)
		return;
	/* The lock file stays: removing it while another process opens it would let two engines hold one
	 * name. */
	unlink(p->socket);
	close(p->lock);
	p->lock = -1;
}

pid_t place_holder(const char *socket_path)
{
	char path[PLACE_PATH + 8];
	lock_path(socket_path, path);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t pid = fcntl(fd, F_GETLK, &l) == 0 && l.l_type != F_UNLCK ? l.l_pid : 0;
	close(fd);
	return pid;
}

bool place_each(void (*fn)(const Place *p, pid_t pid, void *ud), void *ud, Err *e)
{
	char dir[PLACE_PATH];
	if (!place_dir(dir, e))
		return false;
	DIR *d = opendir(dir);
	if (!d)
		return err_errno(e, "open", dir);
	for (struct dirent *x; (x = readdir(d));) {
		size_t n = strlen(x->d_name);
		if (n < 6 || n - 5 > PLACE_NAME || strcmp(x->d_name + n - 5, ".sock") != 0)
			continue;
		char name[PLACE_NAME + 1];
		memcpy(name, x->d_name, n - 5);
		name[n - 5] = '\0';
		Place p;
		if (!place_name_ok(name) || !place_find(name, &p, NULL))
			continue;
		pid_t pid = place_holder(p.socket);
		if (pid > 0)
			fn(&p, pid, ud);
	}
	closedir(d);
	return true;
}

bool place_peer_ok(int fd)
{
#ifdef SO_PEERCRED
	struct ucred u;
	socklen_t n = sizeof u;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &n) == 0 && u.uid == geteuid();
#else
	uid_t uid;
	gid_t gid;
	return getpeereid(fd, &uid, &gid) == 0 && uid == geteuid();
#endif
}
