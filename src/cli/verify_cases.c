/* verify_cases.c - stored values: one line for each of them that is off, or all as JSON. */
#include "cli/verify_cases.h"
#include "base/utf8.h"
#include <string.h>

static void cases_json(const Cases *r, Buf *b)
{
	Jout j;
	jout_init(&j, b);
	jout_obj(&j);
	jout_kbool(&j, "ok", r->ok);
	jout_kstr(&j, "source", r->source);
	jout_key(&j, "cases");
	jout_arr(&j);
	for (int i = 0; i < r->n; i++) {
		const Case *c = &r->c[i];
		jout_obj(&j);
		jout_kstr(&j, "name", c->name);
		jout_kbool(&j, "ok", c->ok);
		jout_knum(&j, "max_abs", c->max_abs);
		jout_knum(&j, "max_rel", c->max_rel);
		jout_kstr(&j, "at", c->at);
		jout_end_obj(&j);
	}
	jout_end_arr(&j);
	jout_end_obj(&j);
	buf_addc(b, '\n');
}

/* Thousands of values match and are not worth a line: those that are off, then the closest call. */
static void cases_text(const Cases *r, Buf *b)
{
	int bad = 0;
	double most = 0;
	for (int i = 0; i < r->n; i++) {
		const Case *c = &r->c[i];
		bad += !c->ok;
		most = c->max_rel > most ? c->max_rel : most;
		if (c->ok)
			continue;
		Buf name = BUF_INIT;
		safe_text(&name, c->name, strlen(c->name), 0);
		buf_printf(b, "OFF  %s: max abs %.3g, max rel %.3g at %s\n", buf_str(&name), c->max_abs, c->max_rel, c->at);
		buf_done(&name);
	}
	Buf source = BUF_INIT;
	safe_text(&source, r->source, strlen(r->source), 0);
	buf_printf(b, "%d of %d values match %s; the largest relative difference is %.3g\n", r->n - bad, r->n,
		source.len ? buf_str(&source) : "the stored ones", most);
	buf_done(&source);
}

int cli_verify_cases(const Args *a, Cases *r, bool ran, Err *e)
{
	Buf b = BUF_INIT;
	if (ran && args_has(a, "json"))
		cases_json(r, &b);
	else if (ran)
		cases_text(r, &b);
	int status = ran && cli_out(&b, e) ? !r->ok : err_exit(e);
	buf_done(&b);
	cases_done(r);
	return status;
}
