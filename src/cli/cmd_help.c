/* cmd_help.c - a manual page in the terminal: through man or mandoc where they are, else as plain text by
 * ourselves. */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "cli/help.h"
#include "script/api_doc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MANDIR
#define MANDIR "/usr/local/share/man"
#endif

enum { PATH_LEN = 4400 };
static const char *const sections[] = { "1", "7", "5", "3", "3lua", NULL };

/* The page in a folder of pages: the source tree's has no folder for each section. */
static bool page_in(const char *dir, bool sections_apart, const char *topic, char out[PATH_LEN])
{
	const char *prefix = !strncmp(topic, "lathe", 5) ? "" : "lathe-", *dot = strchr(topic, '.');
	int n = (int)(dot ? (size_t)(dot - topic) : strlen(topic));
	for (int i = 0; sections[i]; i++) {
		size_t digit = sections_apart ? 1 : 0; /* man3 has 3lua, too */
		if (dot && strcmp(dot + 1, sections[i]))
			continue;
		snprintf(out, PATH_LEN, "%s/%s%.*s%s%s%.*s.%s", dir, sections_apart ? "man" : "", (int)digit, sections[i],
			sections_apart ? "/" : "", prefix, n, topic, sections[i]);
		if (!access(out, R_OK))
			return true;
	}
	return false;
}

/* The page of a topic: "info" is lathe-info, "lathe" itself, "scene.5" that of section 5. In the source
 * man/, else beside the installed program, else where pages were to be installed. */
static bool page_find(const char *topic, char out[PATH_LEN])
{
	char dir[PATH_LEN - 160];
	if (strlen(topic) > 60 || strchr(topic, '/'))
		return false;
	if (cli_data_dir("man", dir, sizeof dir))
		return page_in(dir, false, topic, out);
	return (cli_share_dir("man", dir, sizeof dir) && page_in(dir, true, topic, out)) ||
		page_in(MANDIR, true, topic, out);
}

/* Runs a program; its output goes into out (NULL: ours). False when it is not there or failed. */
static bool run_program(const char *const *argv, Buf *out)
{
	int fd[2] = { -1, -1 }, status = 0;
	char block[4096];
	if (out && pipe(fd))
		return false;
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		if (out)
			dup2(fd[1], 1);
		if (out && freopen("/dev/null", "w", stderr) == NULL)
			_exit(127);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	if (out)
		close(fd[1]);
	for (ssize_t n; out && pid > 0 && (n = read(fd[0], block, sizeof block)) > 0;)
		buf_add(out, block, (size_t)n);
	if (out)
		close(fd[0]);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Typewriters printed bold as X, backspace, X: keep the last of each. */
static void strip_overstrikes(Buf *b)
{
	size_t w = 0;
	for (size_t i = 0; i < b->len; i++) {
		if (b->s[i] != '\b') {
			b->s[w++] = b->s[i];
			continue;
		}
		while (w > 0 && ((unsigned char)b->s[w - 1] & 0xc0) == 0x80)
			w--;
		w -= w > 0;
	}
	b->len = w;
	if (b->s)
		b->s[w] = 0;
}

/* Words of a macro line without the macros' names and roff's escapes. */
static void put_words(Buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool start = i == 0 || s[i - 1] == ' ';
		size_t w = strcspn(s + i, " \n");
		if (start && w == 2 && s[i] >= 'A' && s[i] <= 'Z' && s[i + 1] >= 'a' && s[i + 1] <= 'z') {
			if (!strncmp(s + i, "Fl", 2))
				buf_addc(out, '-');
			i += 2;
		} else if (s[i] == '\\' && i + 1 < n) {
			i++;
			if (s[i] == 'e')
				buf_addc(out, '\\');
			else if (s[i] == '-')
				buf_addc(out, '-');
			else if (s[i] == '(')
				i += 2;
		} else if (s[i] != '"') {
			buf_addc(out, s[i]);
		}
	}
	buf_addc(out, '\n');
}

/* An mdoc page as plain text, good enough to read where no man program is. */
static void render_plain(const Buf *page, Buf *out)
{
	for (const char *s = buf_str(page); *s;) {
		size_t n = strcspn(s, "\n");
		bool macro = s[0] == '.';
		if (macro && (!strncmp(s, ".Sh", 3) || !strncmp(s, ".Ss", 3))) {
			buf_addc(out, '\n');
			put_words(out, s + 4, n - 4);
		} else if (macro && (!strncmp(s, ".Pp", 3) || !strncmp(s, ".Bd", 3) ||
			!strncmp(s, ".Bl", 3))) {
			buf_addc(out, '\n');
		} else if (!macro || (n > 4 && s[1] != '\\' && strncmp(s, ".Dd", 3) &&
			strncmp(s, ".Dt", 3))) {
			bool item = macro && !strncmp(s, ".It", 3);
			buf_adds(out, item ? "  " : "    ");
			put_words(out, s + (macro ? 4 : 0), n - (macro ? 4 : 0));
		}
		s += n + (s[n] == '\n');
	}
}

static bool show_page(const char *path, Buf *out, Err *e)
{
	Buf page = BUF_INIT;
	const char *man[] = { "man", "-l", path, NULL };
	const char *mandoc[] = { "mandoc", "-T", "utf8", path, NULL };
	if (isatty(1) && run_program(man, NULL))
		return true;
	if (run_program(mandoc, out) && out->len) {
		strip_overstrikes(out);
		return true;
	}
	buf_clear(out);
	if (!buf_read_file(&page, path, 4 << 20, e))
		return false;
	render_plain(&page, out);
	buf_done(&page);
	return true;
}

static int print_man(const char *name, Buf *out, Err *e)
{
	const Cmd *c = cmd_find(!strncmp(name, "lathe-", 6) ? name + 6 : name);
	if (c)
		help_man_command(c, out);
	else if (!strcmp(name, "lathe"))
		help_man_program(out);
	else
		err_set(e, E_2003,
			"help: --man %.60s: no command of this name; pages of other sections are files in "
			"man/", name);
	return err_exit(e);
}

/* The page lathe(3lua), or the editor's annotations. */
static void print_lua(bool stubs, Buf *out, Err *e)
{
	char lua[PATH_LEN];
	size_t n = 0;
	Arena *a = arena_new("manual", 0);
	const ApiDoc *d = NULL;
	if (!cli_data_dir("lua", lua, sizeof lua))
		err_set(e, E_4001, "lua: the folder of Lua modules is not there; install lathe, or run it from its build tree");
	else if (!a)
		err_set(e, E_5001, "out of memory for the manual");
	else
		d = api_docs(lua, a, &n, e);
	if (d && stubs)
		api_doc_stubs(d, n, out);
	else if (d)
		help_man_lua(d, n, out);
	if (a)
		arena_free(a);
}

static void print_names(bool examples, Buf *out)
{
	for (int i = 0; cmd_table[i]; i++) {
		if (!examples)
			buf_printf(out, "%s\n", cmd_table[i]->name);
		for (const char *const *x = cmd_table[i]->examples; examples && x && *x; x++)
			buf_printf(out, "%s\n", *x);
	}
}

static void print_topic(const char *topic, Buf *out, Err *e)
{
	char path[PATH_LEN];
	if (!strcmp(topic, "lua"))
		topic = "lathe.3lua";
	const Cmd *c = cmd_find(topic);
	if (page_find(topic, path))
		show_page(path, out, e);
	else if (c)
		help_command(c, out);
	else if (!strcmp(topic, "lathe"))
		help_program(out);
	else
		err_set(e, E_2003,
			"help: no page about `%.60s`; topics are the commands and mla, moe, mtp, grpo, security, "
			"determinism, probes, stream, scene.5, lua",
			topic);
}

static int help_run(const Args *a, Err *e)
{
	Buf b = BUF_INIT;
	if (args_has(a, "man"))
		print_man(args_str(a, "man", ""), &b, e);
	else if (args_has(a, "lua") || args_has(a, "lua-stubs"))
		print_lua(args_has(a, "lua-stubs"), &b, e);
	else if (args_has(a, "names") || args_has(a, "examples"))
		print_names(args_has(a, "examples"), &b);
	else if (args_count(a))
		print_topic(args_at(a, 0), &b, e);
	else
		help_program(&b);
	if (!e->code && b.len)
		cli_out(&b, e);
	buf_done(&b);
	return err_exit(e);
}

static const Opt help_opts[] = {
	{ "man", 0, OPT_STR, "NAME", "print the manual page of a command (or of lathe) as mdoc" },
	{ "lua", 0, OPT_FLAG, NULL, "print the manual page of the Lua module, lathe(3lua), as mdoc" },
	{ "lua-stubs", 0, OPT_FLAG, NULL, "print lua/lathe.d.lua, annotations of the module for editors" },
	{ "names", 0, OPT_FLAG, NULL, "print the names of all commands, one a line" },
	{ "examples", 0, OPT_FLAG, NULL, "print the examples of all commands, one a line" },
	{ NULL, 0, OPT_FLAG, NULL, NULL },
};
static const char *const help_examples[] = { "lathe help", "lathe help mla", "lathe help --names", NULL };

const Cmd cmd_help = {
	.name = "help",
	.usage = "[TOPIC]",
	.summary = "the manual, page by page",
	.text = "Without TOPIC, prints the list of commands. With a command's name, or one of mla, moe, mtp, grpo, "
			"security, determinism, probes, stream, scene.5 (scene files) and lua (the module of scripts), shows that manual "
			"page: "
			"through man when standard output is a terminal, else as plain text. It also works "
			"where no man program is installed.",
	.opts = help_opts,
	.examples = help_examples,
	.min_args = 0,
	.max_args = 1,
	.run = help_run,
};
