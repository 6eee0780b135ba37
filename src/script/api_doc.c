/* api_doc.c - see api_doc.h. */
#include "script/api_doc.h"
#include "base/folder.h"
#include "script/api.h"
#include "script/lua_ops.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 200, FILE_BYTES_MAX = 4 << 20 };

typedef struct Docs { ApiDoc *d; size_t n, cap; Arena *a; bool failed; } Docs;

static void put(Docs *x, ApiDoc d)
{
	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 128;
		ApiDoc *grown = arena_alloc(x->a, cap * sizeof *grown);
		if (!grown) {
			x->failed = true;
			return;
		}
		if (x->n)
			memcpy(grown, x->d, x->n * sizeof *grown);
		x->d = grown;
		x->cap = cap;
	}
	x->d[x->n++] = d;
}

bool api_doc_is_module(const char *owner)
{
	return islower((unsigned char)owner[0]);
}

/* --- rows in C --- */

/* An op has its words in the table of ops. */
static void take_op(Docs *x, const char *owner, const ApiFn *f)
{
	Buf signature = BUF_INIT, text = BUF_INIT;
	if (lua_op_describe(f->name, &signature, &text)) {
		char *s = arena_strdup(x->a, buf_str(&signature)), *t = arena_strdup(x->a, buf_str(&text));
		x->failed |= !s || !t || signature.failed || text.failed;
		put(x, (ApiDoc){ owner, f->name, s, t, NULL });
	}
	buf_done(&signature);
	buf_done(&text);
}

static void take_tables(Docs *x)
{
	for (int i = 0; api_classes[i]; i++) {
		const ApiClass *c = api_classes[i];
		if (c->about)
			put(x, (ApiDoc){ .owner = c->name, .text = c->about });
		for (const ApiFn *f = c->fn; f && f->name; f++)
			if (f->text)
				put(x, (ApiDoc){ c->name, f->name, f->signature, f->text, f->example });
			else if (strcmp(c->name, "lathe.op") == 0)
				take_op(x, c->name, f);
	}
}

/* --- comments in Lua --- */

/* A comment that is being read: its three parts. */
typedef struct Comment { Buf text, signature, example; int part; bool open; } Comment;
enum { PART_TEXT, PART_SIGNATURE, PART_EXAMPLE };

static void comment_done(Comment *c)
{
	buf_done(&c->text);
	buf_done(&c->signature);
	buf_done(&c->example);
	*c = (Comment){ 0 };
}

static void comment_add(Comment *c, const char *s, size_t n)
{
	Buf *b = c->part == PART_TEXT ? &c->text : &c->example;
	if (n >= 5 && strncmp(s, "@sig ", 5) == 0) {
		buf_add(&c->signature, s + 5, n - 5);
		return;
	}
	if (n >= 8 && strncmp(s, "@example", 8) == 0) {
		c->part = PART_EXAMPLE;
		return;
	}
	if (c->part == PART_TEXT && n && s[0] == ' ') {
		s++;
		n--;
	}
	if (b->len)
		buf_addc(b, c->part == PART_TEXT ? ' ' : '\n');
	buf_add(b, s, n);
}

/* Files whose functions lua/lathe.lua puts into the module itself. */
static bool is_module_itself(const char *file)
{
	return strcmp(file, "train") == 0 || strcmp(file, "show") == 0 || strcmp(file, "log") == 0 || strcmp(file, "rl") == 0;
}

/* "function data.mix(mix)" or "function Plot:save(name)": the function's name, and what stands before it. */
static bool function_name(const char *s, size_t n, const char *module, char owner[64], char name[64])
{
	char word[120], first = 0;
	size_t len = n > 9 && strncmp(s, "function ", 9) == 0 ? strcspn(s + 9, "(\n") : 0;
	if (len == 0 || len >= sizeof word)
		return false;
	memcpy(word, s + 9, len);
	word[len] = 0;
	char *dot = strpbrk(word, ".:");
	if (!dot || strlen(dot + 1) >= 64 || dot - word >= 60)
		return false;
	first = word[0];
	*dot = 0;
	snprintf(name, 64, "%s", dot + 1);
	if (isupper((unsigned char)first))
		snprintf(owner, 64, "%.60s", word);
	else if (is_module_itself(module))
		snprintf(owner, 64, "lathe");
	else
		snprintf(owner, 64, "lathe.%.50s", module);
	return true;
}

static void comment_take(Docs *x, const Comment *c, const char *s, size_t n, const char *module)
{
	char owner[64], name[64];
	if (!function_name(s, n, module, owner, name))
		return;
	ApiDoc d = { arena_strdup(x->a, owner), arena_strdup(x->a, name), arena_strdup(x->a, c->signature.len ? buf_str(&c->signature) : "()"),
		arena_strdup(x->a, buf_str(&c->text)), c->example.len ? arena_strdup(x->a, buf_str(&c->example)) : NULL };
	x->failed |= !d.owner || !d.name || !d.signature || !d.text;
	put(x, d);
}

/* The first comment of a file, after "name:", says what the module is for. */
static void take_about(Docs *x, const char *s, const char *module)
{
	Buf b = BUF_INIT;
	size_t head = strlen(module);
	if (strncmp(s, "-- ", 3) != 0 || strncmp(s + 3, module, head) != 0 || s[3 + head] != ':')
		return;
	s += 3 + head + 1;
	for (;;) {
		size_t n = strcspn(s, "\n");
		while (n && *s == ' ') {
			s++;
			n--;
		}
		if (b.len)
			buf_addc(&b, ' ');
		buf_add(&b, s, n);
		if (s[n] != '\n' || strncmp(s + n + 1, "-- ", 3) != 0)
			break;
		s += n + 4;
	}
	if (b.len)
		b.s[0] = (char)toupper((unsigned char)b.s[0]);
	put(x, (ApiDoc){ .owner = arena_printf(x->a, "lathe.%s", module), .text = arena_strdup(x->a, buf_str(&b)) });
	buf_done(&b);
}

static void take_text(Docs *x, const char *text, const char *module)
{
	Comment c = { 0 };
	size_t before = x->n;
	bool about = !is_module_itself(module);
	if (about)
		take_about(x, text, module);
	size_t first = x->n;
	for (const char *s = text; *s;) {
		size_t n = strcspn(s, "\n");
		if (n >= 3 && strncmp(s, "---", 3) == 0) {
			c.open = true;
			comment_add(&c, s + 3, n - 3);
		} else if (c.open && !(n >= 2 && s[0] == '-' && s[1] == '-')) {
			comment_take(x, &c, s, n, module);
			comment_done(&c);
		}
		s += n + (s[n] == '\n');
	}
	comment_done(&c);
	if (x->n == first) /* a module without documented functions is not for users */
		x->n = before;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t names_of(const char *dir, char *name[FILES_MAX])
{
	size_t n = 0;
	DIR *d = opendir(dir);
	for (const struct dirent *x; d && n < FILES_MAX && (x = readdir(d)) != NULL;) {
		size_t len = strlen(x->d_name);
		if (len > 4 && strcmp(x->d_name + len - 4, ".lua") == 0 && (name[n] = strdup(x->d_name)) != NULL)
			n++;
	}
	if (d)
		closedir(d);
	qsort(name, n, sizeof name[0], by_name);
	return n;
}

/* Files of DIR; module: what their functions belong to, NULL: each its own. */
static bool take_folder(Docs *x, const char *dir, const char *module, Err *e)
{
	char *name[FILES_MAX], own[64];
	size_t n = names_of(dir, name);
	bool ok = true;
	for (size_t i = 0; i < n; i++) {
		Buf text = BUF_INIT;
		char *path = folder_join(dir, name[i]);
		snprintf(own, sizeof own, "%.*s", (int)(strlen(name[i]) - 4), name[i]);
		ok = ok && path && buf_read_file(&text, path, FILE_BYTES_MAX, e);
		if (ok)
			take_text(x, buf_str(&text), module ? module : own);
		buf_done(&text);
		free(path);
		free(name[i]);
	}
	return ok;
}

/* --- order --- */

/* The module first, then its tables by name, then the types in the order in which they came. */
static int rank(const ApiDoc *d)
{
	return strcmp(d->owner, "lathe") == 0 ? 0 : api_doc_is_module(d->owner) ? 1 : 2;
}

static size_t first_of(const ApiDoc *d, const char *owner)
{
	size_t i = 0;
	while (strcmp(d[i].owner, owner) != 0)
		i++;
	return i;
}

/* The list, put together: each owner's rows follow each other, what it is about in front. */
static const ApiDoc *in_order(Docs *x)
{
	ApiDoc *out = arena_alloc(x->a, (x->n + 1) * sizeof *out);
	size_t n = 0;
	for (int k = 0; out && k < 3; k++)
		for (size_t i = 0; i < x->n; i++) {
			if (rank(&x->d[i]) != k || first_of(x->d, x->d[i].owner) != i)
				continue;
			for (int about = 1; about >= 0; about--)
				for (size_t j = i; j < x->n; j++)
					if (strcmp(x->d[j].owner, x->d[i].owner) == 0 && (x->d[j].name == NULL) == about)
						out[n++] = x->d[j];
		}
	return out;
}

const ApiDoc *api_docs(const char *lua_dir, Arena *a, size_t *n, Err *e)
{
	Docs x = { .a = a };
	char *dir = folder_join(lua_dir, "lathe"), *nn = dir ? folder_join(dir, "nn") : NULL;
	take_tables(&x);
	bool ok = nn && take_folder(&x, dir, NULL, e) && take_folder(&x, nn, "nn", e);
	free(dir);
	free(nn);
	const ApiDoc *d = ok && !x.failed ? in_order(&x) : NULL;
	if (!d)
		err_set(e, E_5001, "out of memory for the manual");
	*n = x.n;
	return d;
}

/* --- stubs --- */

static void put_comment(Buf *out, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		buf_printf(out, "---%.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

/* The end of the piece of a list that begins at s: a comma, a closing bracket or the text's end, on its own level. */
static const char *piece_end(const char *s)
{
	int depth = 0;
	for (; *s; s++) {
		if (depth == 0 && (*s == ',' || *s == ')'))
			return s;
		depth += (*s == '(' || *s == '{' || *s == '<' || *s == '[') - (*s == ')' || *s == '}' || *s == '>' || *s == ']');
	}
	return s;
}

static const char *piece_next(const char *end)
{
	return *end == ',' ? end + 1 + strspn(end + 1, " ") : NULL;
}

/* "(a: integer, b: table?): Tensor": a line for each parameter and result. Returns the parameters' names in `names`. */
static void put_signature(Buf *out, Buf *names, const char *signature)
{
	const char *s = signature + 1, *end = signature;
	while (s && *s && *s != ')') {
		end = piece_end(s);
		size_t name = strcspn(s, ":,)");
		const char *type = s[name] == ':' ? s + name + 1 + strspn(s + name + 1, " ") : "any";
		int n = s[name] == ':' ? (int)(end - type) : 3;
		buf_printf(out, "---@param %.*s %.*s\n", (int)name, s, n, type);
		buf_printf(names, "%s%.*s", names->len ? ", " : "", (int)name, s);
		s = piece_next(end);
	}
	const char *result = strstr(s ? s : end, "): ");
	for (s = result ? result + 3 : NULL; s; s = piece_next(end)) {
		end = piece_end(s);
		buf_printf(out, "---@return %.*s\n", (int)(end - s), s);
	}
}

static void put_function(Buf *out, const ApiDoc *d)
{
	Buf names = BUF_INIT;
	buf_addc(out, '\n');
	put_comment(out, d->text);
	if (d->example) {
		buf_adds(out, "---```lua\n");
		put_comment(out, d->example);
		buf_adds(out, "---```\n");
	}
	put_signature(out, &names, d->signature);
	buf_printf(out, "function %s%c%s(%s) end\n", d->owner, api_doc_is_module(d->owner) ? '.' : ':', d->name, buf_str(&names));
	buf_done(&names);
}

void api_doc_stubs(const ApiDoc *d, size_t n, Buf *out)
{
	buf_adds(out, "---@meta lathe\n-- Made by `lathe help --lua-stubs` from the tables in src/script and the comments in lua/lathe; for editors.\n");
	for (size_t i = 0; i < n; i++) {
		bool begins = i == 0 || strcmp(d[i - 1].owner, d[i].owner) != 0;
		if (begins)
			buf_addc(out, '\n');
		if (!d[i].name)
			put_comment(out, d[i].text);
		if (begins)
			buf_printf(out, "---@class %s\n", d[i].owner);
		if (begins && strcmp(d[i].owner, "lathe") == 0)
			buf_adds(out, "---@field args string[]\n---@field quick boolean\n---@field seed integer\n---@field threads integer\n");
		if (begins)
			buf_printf(out, "%s%s = {}\n", strchr(d[i].owner, '.') ? "" : "local ", d[i].owner);
		if (d[i].name)
			put_function(out, &d[i]);
	}
	buf_adds(out, "\nreturn lathe\n");
}
