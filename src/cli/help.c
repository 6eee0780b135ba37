/* help.c - what --help prints, from the command table. */
#include "cli/help.h"
#include "cli/args.h"
#include <string.h>

const char *const help_planned[] = { "train", "rl", "eval", "pack", "unpack", "ls", "rerun", "fp8",
	"pipe", NULL };

enum { WIDTH = 79 };

/* One paragraph, filled; col columns of the first line are taken already, later lines begin at indent. */
static void put_filled(Buf *out, const char *s, size_t n, int col, int indent)
{
	bool first = true;
	for (size_t i = 0; i < n;) {
		size_t w = 0;
		while (i + w < n && s[i + w] != ' ' && s[i + w] != '\n')
			w++;
		if (w) {
			if (!first && col + 1 + (int)w > WIDTH) {
				buf_printf(out, "\n%*s", indent, "");
				col = indent;
			} else if (!first) {
				buf_addc(out, ' ');
				col++;
			}
			buf_add(out, s + i, w);
			col += (int)w;
			first = false;
		}
		i += w + (i + w < n);
	}
	buf_addc(out, '\n');
}

static void put_paragraphs(Buf *out, const char *text)
{
	while (text && *text) {
		const char *end = strstr(text, "\n\n");
		size_t n = end ? (size_t)(end - text) : strlen(text);
		if (text[0] == ' ') {
			buf_add(out, text, n);
			buf_addc(out, '\n');
		} else {
			put_filled(out, text, n, 0, 0);
		}
		text = end ? end + 2 : NULL;
		if (text)
			buf_addc(out, '\n');
	}
}

static void put_options(Buf *out, const Opt *o)
{
	for (; o && o->name; o++) {
		Buf head = BUF_INIT;
		if (o->shortname)
			buf_printf(&head, "  -%c, --%s", o->shortname, o->name);
		else
			buf_printf(&head, "      --%s", o->name);
		if (o->kind != OPT_FLAG)
			buf_printf(&head, " %s", o->arg);
		if (head.len < 26)
			buf_printf(out, "%-26s", buf_str(&head));
		else
			buf_printf(out, "%s\n%26s", buf_str(&head), "");
		put_filled(out, o->help, strlen(o->help), 26, 28);
		buf_done(&head);
	}
}

void help_command(const Cmd *c, Buf *out)
{
	buf_printf(out, "lathe %s - %s\n\nUsage: lathe %s %s\n\n", c->name, c->summary, c->name, c->usage);
	put_paragraphs(out, c->text);
	if (c->more) {
		Buf more = BUF_INIT;
		c->more(&more);
		buf_addc(out, '\n');
		put_paragraphs(out, buf_str(&more));
		buf_done(&more);
	}
	if (c->opts && c->opts->name) {
		buf_adds(out, "\nOptions:\n");
		put_options(out, c->opts);
	}
	buf_adds(out, "\nOptions of every command:\n");
	put_options(out, args_global);
	if (c->examples && *c->examples)
		buf_adds(out, "\nExamples:\n");
	for (const char *const *x = c->examples; x && *x; x++)
		buf_printf(out, "  %s\n", *x);
	buf_printf(out, "\nManual: lathe-%s(1), lathe(1); `lathe help %s` shows it.\n", c->name, c->name);
}

void help_program(Buf *out)
{
	buf_adds(out, "lathe - a terminal workbench for small DeepSeek-style language models\n\n"
	              "Usage: lathe                      the workbench, on the model in the box\n"
	              "       lathe COMMAND [ARGUMENTS]  one of the commands below\n"
	              "       lathe COMMAND --help       what it does, its options and examples\n"
	              "       lathe --version\n\nCommands:\n");
	for (int i = 0; cmd_table[i]; i++)
		buf_printf(out, "  %-10s %s\n", cmd_table[i]->name, cmd_table[i]->summary);
	buf_adds(out, "\nA CKPT is a Hugging Face folder, a .safetensors file with a config.json beside it,\n"
	              "or @NAME for a model in the box, as @tiny.\n\nOptions of every command:\n");
	put_options(out, args_global);
	buf_adds(out, "\nWithout a terminal `lathe` prints one page about the model in the box.\n"
	              "Exit status: 0 done, 1 the answer is no, 2 usage, 3 bad file, 4 input/output,\n"
	              "5 limit or memory, 6 numeric, 7 integrity, 8 script, 9 busy; `lathe explain Ennnn`\n"
	              "says more.\n");
}
