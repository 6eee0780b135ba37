/* man.c - the manual pages of section 1 in mdoc, from the command table. `lathe help --man NAME` prints them,
 * the files in man/ are its output, and a test compares the two: a page cannot say what the program does not
 * do. */
#include "cli/args.h"
#include "cli/help.h"
#include <string.h>

/* Text with roff's special characters made plain; safe at the beginning of a line. */
void help_put_roff(Buf *out, const char *s, size_t n)
{
	bool line_start = true;
	for (size_t i = 0; i < n; i++) {
		if (line_start && (s[i] == '.' || s[i] == '\''))
			buf_adds(out, "\\&");
		if (s[i] == '\\')
			buf_adds(out, "\\e");
		else if (s[i] == '-')
			buf_adds(out, "\\-");
		else if (s[i] == '`')
			buf_adds(out, "\\(ga");
		else
			buf_addc(out, s[i]);
		line_start = s[i] == '\n';
	}
}

static void put_line(Buf *out, const char *s)
{
	help_put_roff(out, s, strlen(s));
	buf_addc(out, '\n');
}

/* A paragraph with each sentence on a line of its own, as mdoc wants. */
void help_put_sentences(Buf *out, const char *s, size_t n)
{
	size_t from = 0;
	for (size_t i = 0; i + 1 < n; i++)
		if (s[i] == '.' && s[i + 1] == ' ' && !(i > 0 && s[i - 1] == '.')) {
			help_put_roff(out, s + from, i + 1 - from);
			buf_addc(out, '\n');
			from = i + 2;
		}
	help_put_roff(out, s + from, n - from);
	buf_addc(out, '\n');
}

static void put_text(Buf *out, const char *text)
{
	bool first = true;
	while (text && *text) {
		const char *end = strstr(text, "\n\n");
		size_t n = end ? (size_t)(end - text) : strlen(text);
		if (text[0] == ' ') {
			buf_adds(out, ".Bd -literal\n");
			help_put_roff(out, text, n);
			buf_adds(out, "\n.Ed\n");
		} else {
			buf_adds(out, first ? "" : ".Pp\n");
			help_put_sentences(out, text, n);
		}
		first = false;
		text = end ? end + 2 : NULL;
	}
}

static void put_options(Buf *out, const Opt *o)
{
	buf_adds(out, ".Bl -tag -width Ds\n");
	for (; o && o->name; o++) {
		buf_adds(out, ".It ");
		if (o->shortname)
			buf_printf(out, "Fl %c , ", o->shortname);
		buf_adds(out, "Fl \\-");
		help_put_roff(out, o->name, strlen(o->name));
		if (o->kind != OPT_FLAG) {
			buf_adds(out, " Ar \"");
			help_put_roff(out, o->arg, strlen(o->arg));
			buf_adds(out, "\"");
		}
		buf_addc(out, '\n');
		put_line(out, o->help);
	}
	buf_adds(out, ".El\n");
}

static void put_head(Buf *out, const char *name, const char *what)
{
	buf_adds(out,
		".\\\" Made by `lathe help --man`; change the table in src/cli "
		"instead.\n.Dd " HELP_DATE "\n.Dt ");
	for (const char *s = name; *s; s++)
		buf_addc(out, *s >= 'a' && *s <= 'z' ? *s - 'a' + 'A' : *s);
	buf_printf(out, " 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", name);
	put_line(out, what);
}

static void put_environment(Buf *out)
{
	static const char *const env[][2] = {
		{ "NO_COLOR", "When set and not empty, no colours are used." },
		{ "CLICOLOR, CLICOLOR_FORCE, FORCE_COLOR",
			"0 in the first: no colours; anything in the others: colours also without a "
			"terminal." },
		{ "TERM, COLORTERM",
			"What the terminal can do; TERM=dumb means text only, COLORTERM=truecolor means "
			"24-bit colours." },
		{ "LC_ALL, LC_CTYPE, LANG", "UTF-8 or plain ASCII on the screen." },
		{ "XDG_RUNTIME_DIR", "Where the sockets of running engines lie, in the folder lathe." },
		{ "LATHE_KERNELS", "generic, sse2, avx2, avx512 or avx512bf16: use no better kernels than "
			"these." },
	};
	buf_adds(out, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < sizeof env / sizeof env[0]; i++) {
		buf_printf(out, ".It Ev \"%s\"\n", env[i][0]);
		put_line(out, env[i][1]);
	}
	buf_adds(out, ".El\n");
}

static void put_files(Buf *out)
{
	buf_adds(out,
		".Sh FILES\n.Bl -tag -width Ds\n"
		".It Pa PREFIX/share/lathe/data\nThe models in the box, each a Hugging Face folder; @NAME "
		"means the folder NAME in it.\n"
		".It Pa PREFIX/share/lathe/scenes\nThe scenes of the workbench, one Lua file each.\n"
		".It Pa $XDG_RUNTIME_DIR/lathe\nSockets and locks of running engines; /tmp/lathe\\-UID where "
		"the variable is not set.\n"
		".El\nA program run from its build tree uses the data of its source tree.\n");
}

static void put_exit(Buf *out)
{
	static const char *const status[][2] = {
		{ "0", "Done." },
		{ "1", "The command ran, and the answer is no: a difference was found, a check failed." },
		{ "2", "The command line is wrong." },
		{ "3", "An input file is damaged, hostile or of a kind not supported." },
		{ "4", "Input or output failed: missing file, no permission, full disk." },
		{ "5", "A limit was reached or memory ran out." },
		{ "6", "A numeric failure: not a number, infinite, shapes that do not fit." },
		{ "7", "A hash, signature or stored value does not agree." },
		{ "8", "An error in a script." },
		{ "9", "Something else holds what is needed." },
	};
	buf_adds(out, ".Sh EXIT STATUS\n.Bl -tag -width 3n -compact\n");
	for (size_t i = 0; i < sizeof status / sizeof status[0]; i++)
		buf_printf(out, ".It %s\n%s\n", status[i][0], status[i][1]);
	buf_adds(out,
		".El\n.Pp\nAfter a signal n the status is 128+n.\nAn error is one line on standard error "
		"with a code;\n"
		".Xr lathe\\-explain 1\nsays more about a code.\n");
}

static void put_examples(Buf *out, const char *const *x)
{
	buf_adds(out, ".Sh EXAMPLES\n");
	for (; x && *x; x++) {
		buf_adds(out, ".Dl ");
		put_line(out, *x);
	}
}

void help_man_command(const Cmd *c, Buf *out)
{
	Buf name = BUF_INIT;
	buf_printf(&name, "lathe-%s", c->name);
	put_head(out, buf_str(&name), c->summary);
	buf_done(&name);
	buf_printf(out, ".Sh SYNOPSIS\n.Nm lathe %s\n", c->name);
	put_line(out, c->usage[0] ? c->usage : "[OPTIONS]");
	buf_adds(out, ".Sh DESCRIPTION\n");
	put_text(out, c->text);
	if (c->more) {
		Buf more = BUF_INIT;
		c->more(&more);
		buf_adds(out, ".Pp\n");
		put_text(out, buf_str(&more));
		buf_done(&more);
	}
	buf_adds(out, ".Sh OPTIONS\n");
	if (c->opts && c->opts->name)
		put_options(out, c->opts);
	buf_adds(out, "Options of every command:\n");
	put_options(out, args_global);
	put_environment(out);
	put_files(out);
	put_exit(out);
	put_examples(out, c->examples);
	buf_adds(out, ".Sh SEE ALSO\n.Xr lathe 1 ,\n.Xr lathe\\-explain 1 ,\n.Xr lathe\\-security 7\n");
}

static void put_commands(Buf *out)
{
	buf_adds(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
	for (int i = 0; cmd_table[i]; i++) {
		buf_printf(out, ".It Xr lathe\\-%s 1\n", cmd_table[i]->name);
		put_line(out, cmd_table[i]->summary);
	}
	buf_adds(out, ".El\n");
}

void help_man_program(Buf *out)
{
	static const char *const examples[] = { "lathe --version", "lathe --help", "lathe info @tiny",
		"lathe generate @tiny --ids 1,2,3 -n 8", NULL };
	put_head(out, "lathe", "a terminal workbench for small DeepSeek-style language models");
	buf_adds(out, ".Sh SYNOPSIS\n.Nm lathe\n.Nm lathe\n.Ar COMMAND\n.Op Ar ARGUMENTS\n.Sh DESCRIPTION\n");
	put_text(out,
		"A person puts a language model built like DeepSeek-V2 or V3 on the lathe, turns it, looks "
		"inside it while it runs, and changes it. "
		"Alone, lathe opens the workbench on the model in the box. An engine process computes; the "
		"screen shows its stream of named values, and each "
		"survives the end of the other. Without a terminal, or with TERM=dumb, one page of text "
		"about the model in the box is printed instead.\n\n"
		"A CKPT is a Hugging Face folder with config.json and safetensors files, one .safetensors "
		"file with a config.json beside it, or @NAME for a model in the box.\n\n"
		"Results go to standard output, all else to standard error. Global options may stand before "
		"the command's name. In the workbench ? shows the keys and q leaves. "
		"Colours follow --color, then NO_COLOR, CLICOLOR_FORCE and FORCE_COLOR, then the terminal.");
	put_commands(out);
	buf_adds(out, ".Sh OPTIONS\nOptions of every command:\n");
	put_options(out, args_global);
	put_environment(out);
	put_files(out);
	put_exit(out);
	put_examples(out, examples);
	buf_adds(out,
		".Sh SEE ALSO\n.Xr lathe\\-determinism 7 ,\n.Xr lathe\\-mla 7 ,\n.Xr lathe\\-moe 7 ,\n.Xr "
		"lathe\\-mtp 7 ,\n"
		".Xr lathe\\-probes 7 ,\n.Xr lathe\\-security 7\n");
}
