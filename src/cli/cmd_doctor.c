/* cmd_doctor.c - what this machine, this terminal and this installation give, one line a check, and what to
 * do about what is missing. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/workbench.h"
#include "engine/place.h"
#include "num/kernels.h"
#include "num/par.h"
#include "view/grid.h"
#include <dirent.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATH_LEN = 4400, DETAIL = 600 };

/* One check: fills detail; false when something does not work, and then detail says what helps. */
typedef struct Check { const char *name; bool (*run)(const Args *a, char detail[DETAIL]); } Check;

static bool check_kernels(const Args *a, char d[DETAIL])
{
	Pool *p = pool_new(1);
	(void)a;
	snprintf(d, DETAIL, "%s", p ? pool_kernels(p)->name : "no pool of threads: out of memory");
	bool ok = p;
	pool_free(p);
	return ok;
}

static bool check_precision(const Args *a, char d[DETAIL])
{
	(void)a;
	snprintf(d, DETAIL, "computes in %s", sizeof(real) == 8 ? "double precision" : "single precision");
	return true;
}

static bool check_threads(const Args *a, char d[DETAIL])
{
	int n = cli_threads(a);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	Pool *p = pool_new(n);
	snprintf(d, DETAIL,
		p ? "%d of %ld processors"
		  : "%d of %ld processors: they cannot be started; lower --threads or the limit of processes",
		n, cores);
	bool ok = p;
	pool_free(p);
	return ok;
}

/* A figure of /proc/meminfo in bytes, 0 when not told. */
static double meminfo(const char *key)
{
	char line[200];
	double kib = 0;
	FILE *f = fopen("/proc/meminfo", "re");
	while (f && fgets(line, sizeof line, f))
		if (!strncmp(line, key, strlen(key)))
			kib = strtod(line + strlen(key), NULL);
	if (f)
		fclose(f);
	return kib * 1024;
}

static bool check_memory(const Args *a, char d[DETAIL])
{
	struct rlimit lim = { RLIM_INFINITY, RLIM_INFINITY };
	double all = meminfo("MemTotal:"), free_now = meminfo("MemAvailable:");
	(void)a;
	getrlimit(RLIMIT_AS, &lim);
	int n = snprintf(d, DETAIL, "%.1f GiB, %.1f GiB free", all / (1 << 30), free_now / (1 << 30));
	if (lim.rlim_cur != RLIM_INFINITY)
		n += snprintf(d + n, DETAIL - (size_t)n, ", this shell allows %.1f GiB (ulimit -v)",
			(double)lim.rlim_cur / (1 << 30));
	if (free_now > 0 && free_now < 64 << 20)
		snprintf(d + n, DETAIL - (size_t)n, "; close other programs");
	return free_now == 0 || free_now >= 64 << 20;
}

static bool check_locale(const Args *a, char d[DETAIL])
{
	const char *set = nl_langinfo(CODESET);
	(void)a;
	bool utf8 = !strcmp(set, "UTF-8");
	snprintf(d, DETAIL, utf8 ? "%s" : "%s: screens are drawn in ASCII; set LC_ALL=C.UTF-8 for more", set);
	return true;
}

static bool check_terminal(const Args *a, char d[DETAIL])
{
	Caps c = workbench_caps(a);
	struct winsize ws = { 0 };
	if (!c.screen) {
		snprintf(d, DETAIL, "none for a screen: %s; commands and `lathe scene` work", c.why);
		return true;
	}
	ioctl(1, TIOCGWINSZ, &ws);
	snprintf(d, DETAIL, "%s, %dx%d%s%s", c.term, ws.ws_col, ws.ws_row,
		c.alternate ? "" : ", no second screen", c.sync ? ", synchronised frames" : "");
	return true;
}

static bool check_colors(const Args *a, char d[DETAIL])
{
	Caps c = workbench_caps(a);
	snprintf(d, DETAIL, "%s%s", caps_depth_name(c.depth),
		c.screen && c.depth == COLORS_NONE
			? " (NO_COLOR, CLICOLOR=0, --color never or a terminal without)"
										   : "");
	return true;
}

static bool check_folder(const char *what, char d[DETAIL])
{
	char dir[PATH_LEN];
	bool ok = cli_data_dir(what, dir, sizeof dir);
	snprintf(
		d, DETAIL, ok ? "%.500s"
			: "%.500s is missing; install lathe, or run it from its build tree", dir);
	return ok;
}

static bool check_data(const Args *a, char d[DETAIL])
{
	(void)a;
	return check_folder("data", d);
}

static bool check_scenes(const Args *a, char d[DETAIL])
{
	(void)a;
	return check_folder("scenes", d);
}

/* A folder of data/ with a config.json is a model. */
static bool check_box(const Args *a, char d[DETAIL])
{
	char dir[PATH_LEN], file[PATH_LEN + 300];
	size_t n = 0;
	DIR *f = cli_data_dir("data", dir, sizeof dir) ? opendir(dir) : NULL;
	(void)a;
	d[0] = 0;
	for (struct dirent *x; f && (x = readdir(f));) {
		snprintf(file, sizeof file, "%s/%s/config.json", dir, x->d_name);
		if (x->d_name[0] != '.' && !access(file, R_OK) && n + 40 < DETAIL)
			n += (size_t)snprintf(d + n, DETAIL - n, "%s@%.32s", n ? " " : "", x->d_name);
	}
	if (f)
		closedir(f);
	if (!n)
		snprintf(d, DETAIL, "no model in the box; `lathe open CKPT` takes any other");
	return n > 0;
}

static bool check_pictures(const Args *a, char d[DETAIL])
{
	(void)a;
#ifdef HAVE_CAIRO
	snprintf(d, DETAIL, "text, ansi, csv, json, and svg and png through cairo");
#else
	snprintf(d, DETAIL, "text, ansi, csv, json; svg and png need a build with cairo");
#endif
	return true;
}

static bool check_runtime(const Args *a, char d[DETAIL])
{
	char dir[PLACE_PATH];
	Err e = { 0 };
	(void)a;
	bool ok = place_dir(dir, &e) && access(dir, W_OK) == 0;
	const char *why = e.code ? e.text : "it cannot be written; set XDG_RUNTIME_DIR to a folder of yours";
	snprintf(d, DETAIL, "%.500s", ok ? dir : why);
	return ok;
}

static bool check_engines(const Args *a, char d[DETAIL])
{
	ClientEngine list[16];
	Err e = { 0 };
	size_t n = client_list(list, 16, &e), at = 0;
	(void)a;
	snprintf(d, DETAIL, "none runs");
	for (size_t i = 0; i < n && at + 80 < DETAIL; i++)
		at += (size_t)snprintf(
			d + at, DETAIL - at, "%s%.40s (process %d)", i ? ", " : "", list[i].name,
				list[i].pid);
	return !e.code;
}

static const Check checks[] = {
	{ "kernels", check_kernels }, { "precision", check_precision },
	{ "threads", check_threads }, { "memory", check_memory },
	{ "locale", check_locale }, { "terminal", check_terminal },
	{ "colours", check_colors }, { "data folder", check_data },
	{ "scenes", check_scenes }, { "models in the box", check_box },
	{ "pictures", check_pictures }, { "runtime folder", check_runtime },
	{ "engines", check_engines },
};

static void put_check(Buf *b, Jout *j, bool json, const char *name, bool ok, const char *detail)
{
	Buf safe = BUF_INIT;
	safe_text(&safe, detail, strlen(detail), 0);
	if (json) {
		jout_obj(j);
		jout_kstr(j, "name", name);
		jout_kbool(j, "ok", ok);
		jout_kstr(j, "detail", buf_str(&safe));
		jout_end_obj(j);
	} else {
		buf_printf(b, "%-4s %-18s %s\n", ok ? "ok" : "BAD", name, buf_str(&safe));
	}
	buf_done(&safe);
}

static int doctor_run(const Args *a, Err *e)
{
	Buf b = BUF_INIT;
	Jout j;
	bool json = args_has(a, "json"), all = true;
	char detail[DETAIL];
	jout_init(&j, &b);
	if (json) {
		jout_obj(&j);
		jout_key(&j, "checks");
		jout_arr(&j);
	}
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		bool ok = checks[i].run(a, detail);
		all = all && ok;
		put_check(&b, &j, json, checks[i].name, ok, detail);
	}
	if (json) {
		jout_end_arr(&j);
		jout_kbool(&j, "ok", all);
		jout_end_obj(&j);
		buf_addc(&b, '\n');
	}
	cli_out(&b, e);
	buf_done(&b);
	return e->code ? err_exit(e) : all ? 0 : 1;
}

static const Opt doctor_opts[] = { { NULL, 0, OPT_FLAG, NULL, NULL } };
static const char *const doctor_examples[] = { "lathe doctor", "lathe doctor --json", NULL };

const Cmd cmd_doctor = {
	.name = "doctor",
	.usage = "[OPTIONS]",
	.summary = "checks the machine, the terminal and the installation",
	.text = "Prints one line a check: the kernel set chosen for this processor, threads, memory, locale, "
			"terminal and colours, the folders of data and scenes, the "
			"models in the box, how pictures can be saved, the folder of engines' sockets and "
			"the engines that run. The exit status is 1 when a check fails; its "
			"line says what helps. Put its output into a report of a fault.\n\n"
			"With --json: ok, and checks with name, ok and detail.",
	.opts = doctor_opts,
	.examples = doctor_examples,
	.min_args = 0,
	.max_args = 0,
	.run = doctor_run,
};
