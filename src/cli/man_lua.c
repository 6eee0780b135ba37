/* man_lua.c - lathe(3lua) in mdoc, from the same list as the editor's annotations (script/api_doc.h). `lathe help --lua` prints it, man/lathe.3lua
 * is its output, and a test compares the two. */
#include "cli/help.h"
#include "script/api_doc.h"
#include <string.h>

static void put_example(Buf *out, const char *example)
{
	buf_adds(out, ".Bd -literal -compact -offset 4n\n");
	help_put_roff(out, example, strlen(example));
	buf_adds(out, "\n.Ed\n");
}

static void put_row(Buf *out, const ApiDoc *d)
{
	buf_adds(out, ".It Ic \"");
	if (api_doc_is_module(d->owner))
		buf_printf(out, "%s.", d->owner);
	else
		buf_printf(out, "%s:", d->owner);
	help_put_roff(out, d->name, strlen(d->name));
	help_put_roff(out, d->signature, strlen(d->signature));
	buf_adds(out, "\"\n");
	help_put_sentences(out, d->text, strlen(d->text));
	if (d->example)
		put_example(out, d->example);
}

static void put_rows(Buf *out, const ApiDoc *d, size_t n)
{
	bool list = false;
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(d[i - 1].owner, d[i].owner) != 0) {
			buf_adds(out, list ? ".El\n" : "");
			buf_printf(out, ".Ss %s%s\n", api_doc_is_module(d[i].owner) ? "" : "The type ", d[i].owner);
			list = false;
		}
		if (!d[i].name) {
			help_put_sentences(out, d[i].text, strlen(d[i].text));
			continue;
		}
		if (!list)
			buf_adds(out, ".Bl -tag -width Ds\n");
		list = true;
		put_row(out, &d[i]);
	}
	buf_adds(out, list ? ".El\n" : "");
}

void help_man_lua(const struct ApiDoc *d, size_t n, Buf *out)
{
	static const char about[] = "Scripts for `lathe run` are Lua 5.4 with one module more, `lathe`. They have the libraries base, string, table, math, utf8 and "
		"coroutine, os.time, os.clock and os.date, io.write (print without a newline), and require for the modules of lathe and for files beside the "
		"script. What would lead out is not there: code from strings, other files, processes, the environment, finalizers. Results are written with lathe.write. "
		"pairs() goes through keys in order, math.random follows --seed, and so a script says the same thing twice. "
		"Layers, experts, tokens and positions count from 0, as in the papers; lists of Lua count from 1.";
	buf_adds(out, ".\\\" Made by `lathe help --lua`; change the tables in src/script and the comments in lua/lathe instead.\n"
		".Dd " HELP_DATE "\n.Dt LATHE 3\n.Os\n.Sh NAME\n.Nm lathe\n.Nd the Lua module of experiments\n"
		".Sh SYNOPSIS\n.Li local lathe = require \\(dqlathe\\(dq\n.Sh DESCRIPTION\n");
	help_put_sentences(out, about, sizeof about - 1);
	put_rows(out, d, n);
	buf_adds(out, ".Sh SEE ALSO\n.Xr lathe\\-run 1 ,\n.Xr lathe\\-train 1 ,\n.Xr lathe\\-config 5 ,\n.Xr lathe\\-probes 7\n");
}
