/* lab_repl.c - lines that somebody types: each is an expression whose values are shown, or a statement; one that ends too early goes on with the
 * next line. */
#include "base/buf.h"
#include "script/lab.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_MAX = 1 << 20 };

typedef struct Repl {
	Lab *lab;
	bool typed;              /* on a terminal */
	bool failed;
	char local[64];          /* the latest name after `local`; "": none */
	char *line;              /* getline's */
	size_t cap;
} Repl;

/* The next line, without its end; NULL at the end of input. Ctrl-C while waiting gives an empty one. */
static const char *line_read(Repl *r, const char *prompt)
{
	if (r->typed) {
		fputs(prompt, stdout);
		fflush(stdout);
	}
	errno = 0;
	ssize_t n = getline(&r->line, &r->cap, stdin);
	if (n < 0 && errno == EINTR) {
		clearerr(stdin);
		putchar('\n');
		return "";
	}
	if (n < 0)
		return NULL;
	r->line[strcspn(r->line, "\r\n")] = 0;
	return r->line;
}

/* Does the error on top of the stack say that the text ends too early? */
static bool is_open(lua_State *L)
{
	const char *s = lua_tostring(L, -1);
	size_t n = s ? strlen(s) : 0;
	return n >= 5 && strcmp(s + n - 5, "<eof>") == 0;
}

/* The text as a function on the stack: as an expression if it is one. Otherwise the error's text, and false. */
static bool piece_load(lua_State *L, const Buf *text)
{
	Buf b = BUF_INIT;
	buf_printf(&b, "return %s", buf_str(text));
	int st = luaL_loadbufferx(L, buf_str(&b), b.len, "@input", "t");
	buf_done(&b);
	if (st == LUA_OK)
		return true;
	lua_pop(L, 1);
	return luaL_loadbufferx(L, buf_str(text), text->len, "@input", "t") == LUA_OK;
}

/* Reads until the text is complete. False: the end of input. */
static bool piece_read(Repl *r, Buf *text)
{
	const char *line = line_read(r, "> ");
	buf_clear(text);
	while (line) {
		lua_State *L = r->lab->room.L;
		if (text->len)
			buf_addc(text, '\n');
		buf_adds(text, line);
		bool open = !piece_load(L, text) && is_open(L) && text->len < PIECE_MAX && line[0];
		lua_settop(L, 0);
		if (!open)
			return true;
		line = line_read(r, ">> ");
	}
	return text->len > 0;
}

/* What the piece gives, shown as lathe.show does. Runs as a protected function of its own: the piece is the first upvalue's text. */
static int piece_run(lua_State *L)
{
	const Buf *text = lua_touserdata(L, 1);
	lua_settop(L, 0);
	if (!piece_load(L, text))
		return lua_error(L);
	lua_call(L, 0, LUA_MULTRET);
	int n = lua_gettop(L);
	for (int i = 1; i <= n; i++) {
		lua_getglobal(L, "require");
		lua_pushliteral(L, "lathe.show");
		lua_call(L, 1, 1);
		lua_getfield(L, -1, "show");
		lua_pushvalue(L, i);
		lua_call(L, 1, 1);
		lua_replace(L, i);
		lua_settop(L, n);
	}
	if (n == 0)
		return 0;
	lua_getglobal(L, "print");
	lua_insert(L, 1);
	lua_call(L, n, 0);
	return 0;
}

/* "local m = ..." is gone when its line has run: somebody who then asks for m is told so. */
static void locals_note(Repl *r, const Buf *text)
{
	char name[sizeof r->local];
	const char *s = buf_str(text) + strspn(buf_str(text), " \t");
	if (sscanf(s, "local %63[A-Za-z0-9_]", name) == 1)
		memcpy(r->local, name, sizeof name);
}

static void local_told(const Repl *r, Err *e)
{
	char word[sizeof r->local + 2];
	snprintf(word, sizeof word, "'%s'", r->local);
	if (!r->local[0] || !strstr(e->text, "nil value") || !strstr(e->text, word))
		return;
	Err was = *e;
	*e = (Err){ 0 };
	err_set(e, was.code, "%.300s; `local` ends with its line here: type %s = ... without it", was.text, r->local);
}

static void piece_do(Repl *r, Buf *text)
{
	Err e = { 0 };
	if (text->len == 0)
		return;
	if (lab_call(r->lab, piece_run, text, &e)) {
		locals_note(r, text);
		return;
	}
	local_told(r, &e);
	r->failed = true;
	fflush(stdout);
	err_print(&e);
	if (r->lab->o.stop_clear)
		r->lab->o.stop_clear();
}

bool lab_repl(const LabOptions *o, Err *e)
{
	static const char begin[] = "lathe = require 'lathe'";
	Repl r = { .lab = lab_new(o, e), .typed = isatty(STDIN_FILENO) };
	Buf text = BUF_INIT;
	bool ok = r.lab && lab_text(r.lab, begin, sizeof begin - 1, "@input", e);
	while (ok && piece_read(&r, &text)) {
		if (r.lab->o.stop_clear) /* a Ctrl-C that came while waiting is done with */
			r.lab->o.stop_clear();
		piece_do(&r, &text);
	}
	if (r.typed)
		putchar('\n');
	buf_done(&text);
	free(r.line);
	fflush(stdout);
	if (ok && r.failed && !r.typed)
		return err_set(e, E_8001, "some lines had errors");
	return ok;
}
