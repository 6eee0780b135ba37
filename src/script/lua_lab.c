/* lua_lab.c - what a script has beside models and runs: writing its results. A result lies below the folder of results, under a name that
 * says what it is; no name leads out of the folder, through a link or to a file of another kind, and a reader never sees half a file. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/utf8.h"
#include "script/api.h"
#include "script/lab.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_LONGEST = 200, WRITE_MAX = 1 << 30 };

static const char *const kinds[] = { ".csv", ".json", ".jsonl", ".md", ".png", ".svg", ".tex", ".tsv", ".txt", NULL };

static bool has_kind(const char *name)
{
	size_t n = strlen(name);
	for (int i = 0; kinds[i]; i++) {
		size_t m = strlen(kinds[i]);
		if (n > m && strcmp(name + n - m, kinds[i]) == 0)
			return true;
	}
	return false;
}

const char *lab_name_fault(const char *name, size_t n)
{
	if (n == 0 || n > NAME_LONGEST)
		return "a name of 1 to 200 bytes is needed";
	if (strlen(name) != n || strpbrk(name, "\\\n\r\t\033\177"))
		return "the name has a character that no file should have";
	if (name[0] == '/' || name[0] == '.' || strstr(name, "/.") || strstr(name, "//") || name[n - 1] == '/')
		return "the name must stay below the folder of results, and no part of it may begin with a dot";
	return NULL;
}

/* The folder that the last part of the name lies in, made where it is missing; links are not followed. -1: errno. */
static int open_folder(int root, const char *name, const char **last)
{
	char part[NAME_LONGEST + 1];
	const char *slash;
	int dir = fcntl(root, F_DUPFD_CLOEXEC, 0);
	for (; dir >= 0 && (slash = strchr(name, '/')) != NULL; name = slash + 1) {
		memcpy(part, name, (size_t)(slash - name));
		part[slash - name] = 0;
		int up = dir;
		if (mkdirat(up, part, 0777) != 0 && errno != EEXIST)
			dir = -1;
		else
			dir = openat(up, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int why = errno;
		close(up);
		errno = why;
	}
	*last = name;
	return dir;
}

static bool write_all(int fd, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, s, n);
		if (k < 0 && errno != EINTR)
			return false;
		s += k > 0 ? k : 0;
		n -= k > 0 ? (size_t)k : 0;
	}
	return true;
}

/* Under another name first, then renamed. What stands there already is replaced only if it is a file. */
static bool put_file(int dir, const char *name, const char *s, size_t n)
{
	struct stat st;
	char temp[NAME_LONGEST + 40];
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	snprintf(temp, sizeof temp, ".%s.tmp-%ld", name, (long)getpid());
	unlinkat(dir, temp, 0);
	int fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return false;
	bool ok = write_all(fd, s, n) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok && renameat(dir, temp, dir, name) == 0)
		return true;
	int why = errno;
	unlinkat(dir, temp, 0);
	errno = why;
	return false;
}

static bool lab_put(const Lab *lab, const char *name, const char *s, size_t n, Err *e)
{
	const char *root_name = lab->o.out_dir ? lab->o.out_dir : ".", *last = NULL;
	if (!folder_make(root_name, e))
		return false;
	int root = open(root_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int dir = root >= 0 ? open_folder(root, name, &last) : -1;
	bool ok = dir >= 0 && put_file(dir, last, s, n);
	if (!ok)
		err_set(e, E_4002, "lathe.write: %s/%s: %s", root_name, name, strerror(errno));
	if (dir >= 0)
		close(dir);
	if (root >= 0)
		close(root);
	return ok;
}

static int lab_write(lua_State *L)
{
	size_t n, len;
	const char *name = luaL_checklstring(L, 1, &n), *text = luaL_checklstring(L, 2, &len);
	const char *fault = lab_name_fault(name, n);
	Err e = { 0 };
	if (!fault && !has_kind(name))
		fault = "the name must end in .csv, .json, .jsonl, .md, .png, .svg, .tex, .tsv or .txt";
	if (fault)
		return lab_fail(L, E_8001, "lathe.write: \"%s\": %s", name, fault);
	if (len > WRITE_MAX)
		return lab_fail(L, E_5003, "lathe.write: \"%s\": more than 1 GiB", name);
	if (!lab_put(lab_of(L), name, text, len, &e))
		return lab_raise(L, &e);
	lua_pushvalue(L, 1);
	return 1;
}

/* For lua/lathe: an error that points at the user's line and not at the library's. */
static int lab_error_at_user(lua_State *L)
{
	return lab_fail(L, E_8001, "%s", luaL_checkstring(L, 1));
}

/* For tables of lua/lathe: how wide a text is on a terminal. */
static int lab_columns(lua_State *L)
{
	size_t n;
	const char *s = luaL_checklstring(L, 1, &n);
	Buf b = BUF_INIT;
	safe_text(&b, s, n, 0);
	lua_pushinteger(L, utf8_columns(buf_str(&b), b.len));
	buf_done(&b);
	return 1;
}

static int lab_clock(lua_State *L)
{
	lua_pushnumber(L, clock_now());
	return 1;
}

static const ApiFn lab_fn[] = {
	{ "write", "(name: string, text: string): string",
	  "Writes a file of results below --out (default: the present folder) and returns its name. The name may have folders in it, which are "
	  "made; it ends in .csv, .json, .jsonl, .md, .png, .svg, .tex, .tsv or .txt, and cannot lead out of the folder. The file appears whole or not at all.",
	  "lathe.write(\"results/losses.csv\", \"step,loss\\n1,4.2\\n\")", lab_write },
	{ "fail", "(message: string)", "Ends the script with an error that points at the script's own line, also from inside a module of lathe.",
	  "print(pcall(lathe.fail, \"no expert 99\"))", lab_error_at_user },
	{ "seconds", "(): number", "Seconds on a clock that only goes forward, for measuring.",
	  "local t = lathe.seconds()\nprint(lathe.seconds() - t < 60)", lab_clock },
	{ "columns", "(text: string): integer", NULL, NULL, lab_columns },
	{ NULL, NULL, NULL, NULL, NULL },
};

const ApiClass api_lab = { "lathe",
	"The module: models, training runs, experiments. `lathe.args` are the arguments behind the script's name, `lathe.quick` is true when a short "
	"run is asked for (--quick), `lathe.seed` is --seed, `lathe.threads` how many threads compute.", lab_fn, NULL };
